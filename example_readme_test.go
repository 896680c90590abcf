package ips_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
	"github.com/ips-p2p/ips/ipstest"
)

// The snippet of README.md; TestReadme holds the two together.
func Example_readme() {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/recharge", nil)
	ctx, mux, myDatabase := r.Context(), http.NewServeMux(), new(ipstest.MemoryOnce)
	myTable := readmeOrders{"R20141213000001": {exampleRecharge(), ips.OrderRecorded}}

	cfg := ips.TestMerchant()                              // the vendor's published test merchant
	cfg.Environment = ips.Sandbox("http://127.0.0.1:8480") // or ips.Production()
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	client, err := ips.NewClient(cfg)

	// A redirect operation returns a form for the user's browser.
	form, err := client.Recharge(ips.RechargeRequest{
		OrderNo: "R20260301000001", Date: ips.Today(),
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004",
		FeePayer: ips.PlatformPaysFee,
	})
	form.ServeHTTP(w, r)

	// A web-service operation sends at once and returns a typed answer.
	resp, err := client.Transfer(ctx, ips.TransferRequest{ /* … */ })

	// Answers that arrive later are verified and handed to your function, in the
	// transaction that myDatabase has begun for it. On package orders there is no
	// such function: it does all of this, and book.Hear is the handler.
	recharged := func(ctx context.Context, a *ips.RechargeResponse) error {
		order, err := myTable.Lock(ctx, a.OrderNo) // the request that was sent, and its state
		if err != nil {
			return err
		}
		if a.Outcome == ips.Success && len(ips.Compare(order.Request, a)) > 0 {
			return errors.New("not what was ordered") // not acknowledged: IPS comes again
		}
		next, change, err := order.State.Next(a.Base())
		if err != nil || change == ips.Unchanged {
			return err // a contradiction; or nothing new
		}
		return order.Save(ctx, next) // ips.OrderDone: credit what was ordered
	}
	mux.Handle("/ips/notify/", client.NotifyHandler(ips.Inbound{
		Hear: ips.Deduplicated(myDatabase, ips.On(recharged, nil)),
	}))

	fmt.Println(w.Code, form.Action())
	var invalid *ips.ValidationError
	fmt.Println(resp, errors.As(err, &invalid))
	forged := sealedExample("R20141213000001", "5000.00")
	for _, answer := range []fixture.Answer{forged, sealedExample("R9", "500.00"), sealedExample("R20141213000001", "500.00"), forged} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, answer.Inbound(ips.OpRecharge))
		fmt.Println(w.Code, myTable["R20141213000001"].State)
	}
	// Output:
	// 200 http://127.0.0.1:8480/CreditWeb/doDpTrade.aspx
	// <nil> true
	// 500 recorded
	// 500 recorded
	// 200 done
	// 200 done
}

// readmeOrders is a table of orders.
type readmeOrders map[string]*readmeOrder

type readmeOrder struct {
	Request ips.Request
	State   ips.OrderState
}

func (o readmeOrders) Lock(_ context.Context, no string) (*readmeOrder, error) {
	if o[no] == nil {
		return nil, errors.New("no such order")
	}
	return o[no], nil
}

func (o *readmeOrder) Save(_ context.Context, next ips.OrderState) error {
	o.State = next
	return nil
}

// sealedExample says that a recharge has succeeded.
func sealedExample(orderNo, amount string) fixture.Answer {
	return fixture.Sealed(ips.CodeSuccess, "操作成功", fixture.Document("pMerBillNo", orderNo, "pTrdAmt", amount))
}

// TestSandboxAddress: what is copied from the documents finds the sandbox where
// its program listens.
func TestSandboxAddress(t *testing.T) {
	t.Parallel()
	options, err := os.ReadFile("examples/sandbox/options.go")
	require.NoError(t, err)
	require.Contains(t, string(options), `"127.0.0.1:8480"`)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/*.md", "examples/*/*.go", "ipstest/*.go"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, more...)
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		return strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(filepath.Base(file), "example")
	})
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range sandboxAddress.FindAllStringSubmatch(string(text), -1) {
			named++
			assert.Equal(t, "8480", m[1]+m[2], "%s: %s", file, m[0])
		}
	}
	assert.Greater(t, named, 5)
}

// sandboxAddress is a fixed address of an IPS on this machine: given to the client,
// or in front of one of the pages and services of IPS.
var sandboxAddress = regexp.MustCompile(`(?:EnvironmentAt\("|Sandbox\("|IPS_BASE_URL=|IPS_\w+_URL\s+)http://(?:127\.0\.0\.1|localhost):(\d+)|http://(?:127\.0\.0\.1|localhost):(\d+)/CreditW`)

var (
	goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")
	comment = regexp.MustCompile(`(?m)(^|\s)//\s.*$`)
)

// The READMEs show what Example_readme runs; the Chinese one has comments of
// its own.
func TestReadme(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_readme_test.go")
	require.NoError(t, err)
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		readme, err := os.ReadFile(file)
		require.NoError(t, err)
		block := goBlock.FindSubmatch(readme)
		require.NotNil(t, block, file)
		assert.Contains(t, bareCode(source), bareCode(block[1]), file)
	}
}

// TestReadmesInStep: both languages have the same chapters, commands, tables and
// links, in the same order.
func TestReadmesInStep(t *testing.T) {
	t.Parallel()
	skeleton := func(file string) []string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var all []string
		for line := range strings.Lines(string(text)) {
			switch line = strings.TrimRight(line, "\n"); {
			case strings.HasPrefix(line, "## "):
				all = append(all, "chapter")
			case strings.HasPrefix(line, "|--"):
				all = append(all, line)
			case strings.HasPrefix(line, "    "):
				command, _, _ := strings.Cut(line, " #")
				all = append(all, strings.TrimSpace(command))
			}
			for _, link := range readmeLink.FindAllStringSubmatch(line, -1) {
				all = append(all, strings.Replace(link[1], ".zh-CN", "", 1))
			}
		}
		return all
	}
	assert.Equal(t, skeleton("README.md"), skeleton("README.zh-CN.md"))
}

var readmeLink = regexp.MustCompile(`\]\(([\w./-]+)\)`)

// bareCode is code without comments, on one line.
func bareCode(source []byte) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(string(source), "")), " ")
}

// TestEveryMethodHasAnExample that runs, for go doc.
func TestEveryMethodHasAnExample(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("example*_test.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	runs := map[string]bool{}
	for _, e := range doc.Examples(files...) {
		runs[e.Name] = e.Output != ""
	}
	for _, i := range ips.Operations() {
		if !runs["Client_"+i.Method] {
			t.Errorf("example_operations_test.go: no ExampleClient_%s with // Output", i.Method)
		}
	}
}

// TestReadmesNameEveryMethod in their tables of scenarios.
func TestReadmesNameEveryMethod(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		readme, err := os.ReadFile(file)
		require.NoError(t, err)
		_, table, ok := strings.Cut(string(readme), "\n|---|---|---|---|---|\n")
		require.True(t, ok, "%s has no table of scenarios", file)
		table, _, _ = strings.Cut(table, "\n\n")
		for _, i := range ips.Operations() {
			if !strings.Contains(table, "`"+i.Method+"`") {
				t.Errorf("%s: the table of scenarios does not name %s", file, i.Method)
			}
		}
	}
}
