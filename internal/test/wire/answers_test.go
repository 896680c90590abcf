package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

var elementName = regexp.MustCompile(`<(p\w+)>`)

// TestAnswersWithoutServer: ipstest's answer to a request of every operation is one
// for the client: it verifies, agrees with its request, and has the elements that
// the manual's tables name.
func TestAnswersWithoutServer(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			if tt.transport == ips.QueryService {
				assert.Panics(t, func() { ipstest.AnswerTo(tt.request) })
				return
			}
			cfg := ipstest.OfflineConfig()
			client, err := ips.NewClient(cfg, ips.WithUnmaskedWireTap(func(m ips.WireMessage) {
				golden, err := os.ReadFile(filepath.Join(goldens, string(tt.op)+".response.xml"))
				if !assert.NoError(t, err) {
					return
				}
				// The golden answers also have what the client bears and does not need.
				want := slices.DeleteFunc(names(strings.ReplaceAll(string(golden), "pFAccType", "pFAcctType")), func(n string) bool { return slices.Contains([]string{"pNew", "pWebUrl", "pS2SUrl"}, n) })
				assert.Equal(t, want, names(m.Document))
			}))
			require.NoError(t, err)
			answer := ipstest.AnswerTo(tt.request)
			var got ips.Response
			h := client.NotifyHandler(ips.Inbound{Hear: func(_ context.Context, a ips.Response) error {
				got = a
				return nil
			}})
			require.Equal(t, http.StatusOK, ipstest.Post(h, "/ips/notify/"+string(tt.op), cfg, answer).StatusCode)
			assert.Equal(t, ips.Success, got.Base().Outcome)
			assert.Equal(t, ips.OrderNo(tt.request), got.Base().OrderNo)
			assert.Empty(t, got.Base().Extra)
			assert.Empty(t, ips.Compare(tt.request, got))
			answer.Base().MerchantCode = cfg.MerchantCode
			fixture.AssertAnswer(t, answer, got)
		})
	}
}

func names(document string) []string {
	var all []string
	for _, m := range elementName.FindAllStringSubmatch(document, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestAnswersOtherwise(t *testing.T) {
	t.Parallel()
	cfg := ipstest.OfflineConfig()
	client, err := ips.NewClient(cfg)
	require.NoError(t, err)
	req := ips.RechargeRequest{OrderNo: "R1", Amount: 500 * ips.Yuan}
	h := client.NotifyHandler(ips.Inbound{Hear: ips.On(func(_ context.Context, a *ips.RechargeResponse) error {
		if diff := ips.Compare(req, a); len(diff) > 0 {
			return fmt.Errorf("not as asked: %s", diff[0].Wire)
		}
		return a.Err()
	}, nil)})
	post := func(change func(*ips.RechargeResponse)) int {
		answer := ipstest.AnswerTo(&req).(*ips.RechargeResponse)
		change(answer)
		return ipstest.Post(h, "/ips/notify/recharge", cfg, answer).StatusCode
	}
	assert.Equal(t, http.StatusOK, post(func(*ips.RechargeResponse) {}))
	assert.Equal(t, http.StatusInternalServerError, post(func(a *ips.RechargeResponse) { a.Amount += ips.Fen }))
	assert.Equal(t, http.StatusInternalServerError, post(func(a *ips.RechargeResponse) { a.Code = ips.CodeFailed }))
	assert.Equal(t, http.StatusOK, post(func(a *ips.RechargeResponse) { a.Code = ips.CodeProcessing }))
	assert.Equal(t, http.StatusBadRequest, ipstest.Post(h, "/ips/notify/withdraw", cfg, ipstest.AnswerTo(req)).StatusCode, "the wrong address")

	cfg.Cert = ips.NewSecret("short")
	assert.Panics(t, func() { ipstest.Sealed(cfg, ipstest.AnswerTo(req)) })
}

// wallet is what a merchant's program wants of the client, and has a fake of.
type wallet interface {
	Recharge(ips.RechargeRequest) (*ips.Form, error)
}

type fakeWallet struct{ err error }

func (f fakeWallet) Recharge(req ips.RechargeRequest) (*ips.Form, error) {
	if f.err != nil {
		return nil, f.err
	}
	return ipstest.NewForm(req), nil
}

func TestNewForm(t *testing.T) {
	t.Parallel()
	req := ips.RechargeRequest{
		OrderNo: "R1", Date: day(), IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		Amount: 500 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.PlatformPaysFee,
	}
	var w wallet = fakeWallet{}
	form, err := w.Recharge(req)
	require.NoError(t, err)
	assert.Equal(t, "R1", form.OrderNo())
	assert.Equal(t, ips.OpRecharge, form.Operation())
	assert.Equal(t, "https://ips.example.com/CreditWeb/doDpTrade.aspx", form.Action())
	w = fakeWallet{errors.New("no")}
	_, err = w.Recharge(req)
	require.Error(t, err)
	assert.Panics(t, func() { ipstest.NewForm(ips.RechargeRequest{}) })
}
