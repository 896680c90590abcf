// Trigger sends a merchant's handler what IPS would send: a signed answer of any
// operation, made here, or messages captured before. It needs no sandbox and no
// IPS, and says what the handler answered:
//
//	go run ./examples/trigger recharge -to http://127.0.0.1:8080/ips/notify
//	go run ./examples/trigger recharge -to … -order R0001 -amount 500.00 -set Account=4021000000000002
//	go run ./examples/trigger transfer -to … -request transfer.json
//	go run ./examples/trigger withdraw -to … -fault amount
//	go run ./examples/trigger replay -to http://127.0.0.1:8080/ips/notify/recharge captured.txt
//
// The answer repeats what a request asked for: one of 李四 with -order, -amount and
// what -set says of its fields by their Go names, or the one in the file of
// -request, in the JSON of [ips.MarshalRequest]. The operation's name is added to
// the address of -to, as the SDK's client does, unless -exact.
//
// -as says what IPS is to say: success, pending, refused, or duplicate
// (订单号重复), which says nothing of the order's fate.
//
// -fault does something wrong, and the handler must bear it:
//
//	bad-sign    the signature does not hold: it must not answer 200
//	amount      signed, and 1.00 more than was asked for: it must not answer 200
//	twice       twice at the same moment, as IPS repeats itself: 200 both times
//	late        first pending, and after -after the success: 200 both times
//	duplicate   the success, then the refusal of a duplicate number: the order
//	            must stay paid, which only its owner can see
//
// A handler can refuse the amount only of an order that it knows: record R0001
// first, or give -order one that your program has.
//
// Replay posts each line of the file, or of standard input, that is the body of
// a form post with pMerCode and pSign, as a log or a browser's developer tools
// show them, unchanged. It needs no keys.
//
// The keys come from IPS_MERCHANT, IPS_CERT, IPS_3DES_KEY and IPS_3DES_IV, never
// from the command line; without them they are those of the vendor's published
// test merchant. Because the answers say that money came which nobody paid, only
// this machine is sent any, unless -allow-remote.
//
// The exit code is 0 if the handler answered as it must, 1 if not, and 2 if the
// program was called wrongly.
package main

import (
	"bufio"
	"cmp"
	"encoding"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func main() {
	os.Exit(exitCode(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv), os.Stderr))
}

var (
	errUsage = errors.New("usage")
	errWrong = errors.New("the handler did not answer as it must")
)

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "trigger:", err)
		return 2
	}
	fmt.Fprintln(stderr, "trigger:", err)
	return 1
}

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// options are what the command line says.
type options struct {
	what, to, order, amount, as, fault, request, file string
	set                                               []string
	exact, remote                                     bool
	after, timeout                                    time.Duration
}

func readOptions(args []string, stderr io.Writer) (*options, error) {
	var o options
	fs := flag.NewFlagSet("trigger", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.to, "to", "", "`address` of the merchant's handler, as in Config.NotifyURL")
	fs.BoolVar(&o.exact, "exact", false, "send to the address as it stands, without the operation's name")
	fs.StringVar(&o.order, "order", "R0001", "order `number`")
	fs.StringVar(&o.amount, "amount", "500.00", "`amount` in yuan, where the operation has one")
	fs.Func("set", "`Name=text` of a field of the request; repeatable", func(s string) error {
		if !strings.Contains(s, "=") {
			return errors.New("want Name=text")
		}
		o.set = append(o.set, s)
		return nil
	})
	fs.StringVar(&o.request, "request", "", "`file` with the request as JSON, instead of -order, -amount and -set")
	fs.StringVar(&o.as, "as", "success", "what IPS `says`: success, pending, refused or duplicate")
	fs.StringVar(&o.fault, "fault", "", "bad-sign, amount, twice, late or duplicate")
	fs.DurationVar(&o.after, "after", 3*time.Second, "how `late` late is")
	fs.DurationVar(&o.timeout, "timeout", 30*time.Second, "how `long` the handler may take")
	fs.BoolVar(&o.remote, "allow-remote", false, "send to other machines than this one, too")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usage("name an operation first, or replay; operations are %s", strings.Join(operations(), ", "))
	}
	o.what = args[0]
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usage("%v", err)
	}
	o.file = fs.Arg(0)
	return &o, o.check(fs.NArg())
}

func operations() []string {
	var names []string
	for _, info := range ips.Operations() {
		if info.Transport != ips.QueryService {
			names = append(names, string(info.Operation))
		}
	}
	return names
}

func (o *options) check(more int) error {
	u, err := url.Parse(o.to)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usage("-to: want the http or https address of a handler, got %q", o.to)
	case !o.remote && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return usage("-to: %s is another machine; if that is meant, say -allow-remote", u.Hostname())
	case o.what == "replay" && more > 1, o.what != "replay" && more > 0:
		return usage("too many arguments")
	case o.what != "replay" && !slices.Contains(operations(), o.what):
		return usage("no operation %q; there are %s", o.what, strings.Join(operations(), ", "))
	case !slices.Contains([]string{"success", "pending", "refused", "duplicate"}, o.as):
		return usage("-as: want success, pending, refused or duplicate, got %q", o.as)
	case !slices.Contains([]string{"", "bad-sign", "amount", "twice", "late", "duplicate"}, o.fault):
		return usage("-fault: want bad-sign, amount, twice, late or duplicate, got %q", o.fault)
	}
	return nil
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) error {
	o, err := readOptions(args, stderr)
	if err != nil {
		return err
	}
	p := &poster{out: stdout, http: http.Client{
		Timeout:       o.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, to: o.to}
	if o.what == "replay" {
		return replay(p, o.file, stdin)
	}
	if !o.exact {
		u, _ := url.Parse(o.to) // check has parsed it
		p.to = u.JoinPath(o.what).String()
	}
	cfg := ips.TestMerchant()
	if getenv("IPS_MERCHANT") != "" {
		cfg = ips.Config{
			MerchantCode: getenv("IPS_MERCHANT"), Cert: ips.NewSecret(getenv("IPS_CERT")),
			Key: ips.NewSecret(getenv("IPS_3DES_KEY")), IV: ips.NewSecret(getenv("IPS_3DES_IV")),
		}
	}
	cfg.Environment = ips.EnvironmentAt("https://ips.example.com")
	if _, err := ips.NewClient(cfg); err != nil {
		return usage("the keys: %v", err)
	}
	req, err := o.asked()
	if err != nil {
		return err
	}
	return o.send(p, cfg, req)
}

// send sends what the options say of the request.
func (o *options) send(p *poster, cfg ips.Config, req ips.Request) error {
	message := func(as string, change func(ips.Response) error) (url.Values, error) {
		answer := ipstest.AnswerTo(req)
		b := answer.Base()
		info, _ := ips.OperationOf(req).Info()
		switch as {
		case "pending":
			b.Code, b.Message = info.Pending[0], "处理中"
		case "refused":
			b.Code, b.Message = ips.CodeFailed, "失败"
		case "duplicate":
			b.Code, b.Message = ips.CodeFailed, "订单号重复"
		}
		if change != nil {
			if err := change(answer); err != nil {
				return nil, err
			}
		}
		return ipstest.Sealed(cfg, answer), nil
	}
	plain, err := message(o.as, nil)
	if err != nil {
		return err
	}
	say := fmt.Sprintf("%s %s %s", o.what, ips.OrderNo(req), o.as)
	switch o.fault {
	case "bad-sign":
		sign := []byte(plain.Get("pSign"))
		if sign[0]++; sign[0] == 'g' || sign[0] == ':' {
			sign[0] = '0'
		}
		plain.Set("pSign", string(sign))
		return p.post(say+", badly signed", plain, false)
	case "amount":
		changed, err := message(o.as, raise)
		if err != nil {
			return err
		}
		return p.post(say+", 1.00 too much", changed, false)
	case "twice":
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() { errs[i] = p.post(fmt.Sprintf("%s, copy %d of 2", say, i+1), plain, true) })
		}
		wg.Wait()
		return errors.Join(errs...)
	case "late":
		first, err := message("pending", nil)
		if err != nil {
			return err
		}
		err = p.post(fmt.Sprintf("%s %s pending", o.what, ips.OrderNo(req)), first, true)
		time.Sleep(o.after)
		return errors.Join(err, p.post(say, plain, true))
	case "duplicate":
		refusal, err := message("duplicate", nil)
		if err != nil {
			return err
		}
		err = p.post(say, plain, true)
		p.heard(fmt.Sprintf("%s %s duplicate", o.what, ips.OrderNo(req)), refusal.Encode())
		return err
	}
	return p.post(say, plain, true)
}

// raise adds 1.00 to the first amount of the answer that repeats one of the
// request, or to that of its first row.
func raise(answer ips.Response) error {
	if a := firstAmount(reflect.ValueOf(answer).Elem()); a != nil {
		*a += ips.Yuan
		return nil
	}
	return usage("-fault amount: an answer to %s has no amount", answer.Base().Operation)
}

func firstAmount(v reflect.Value) *ips.Amount {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Type() == reflect.TypeFor[ips.Amount]() && v.Type().Field(i).Name != "IPSFee" {
			return f.Addr().Interface().(*ips.Amount)
		}
		if f.Kind() == reflect.Slice && f.Len() > 0 && f.Index(0).Kind() == reflect.Struct {
			return firstAmount(f.Index(0))
		}
	}
	return nil
}

// asked is the request that IPS answers.
func (o *options) asked() (ips.Request, error) {
	data := []byte("{}")
	if o.request != "" {
		var err error
		if data, err = os.ReadFile(o.request); err != nil {
			return nil, usage("-request: %v", err)
		}
	}
	req, err := ips.UnmarshalRequest(ips.Operation(o.what), data)
	if err != nil || o.request != "" {
		return req, err
	}
	v := reflect.New(reflect.TypeOf(req)).Elem()
	if rows := v.FieldByName("Rows"); rows.IsValid() {
		rows.Set(reflect.MakeSlice(rows.Type(), 1, 1))
		sample(rows.Index(0), o.amount)
	}
	sample(v, o.amount)
	pairs := append([]string{"OrderNo=" + o.order}, o.set...)
	for _, pair := range pairs {
		name, text, _ := strings.Cut(pair, "=")
		if err := setField(v.FieldByName(name), text); err != nil {
			return nil, usage("-set %s: %v", name, err)
		}
	}
	return v.Interface().(ips.Request), nil
}

// sample fills in what stands in most requests and rows, about fictional people.
func sample(v reflect.Value, amount string) {
	texts := map[string]string{
		"Amount": amount, "FaceAmount": amount, "Price": amount,
		"IdentNo": "110101199001010002", "RealName": "李四", "AccountName": "李四", "Mobile": "13800000000", "Email": "lisi@example.com",
		"Account": "4021000000000002", "FromAccount": "4021000000000002", "ToAccount": "4021000000000001",
		"FromName": "李四", "ToName": "张三", "FromIdentNo": "110101199001010002", "ToIdentNo": "110101199001010001",
		"BidNo": "B0001", "ContractNo": "C0001", "CreditorOrderNo": "RC0001", "OriginalOrderNo": "RC0001", "Type": "1", "Channel": "1", "BankCode": "00004",
	}
	for name, text := range texts {
		if f := v.FieldByName(name); f.IsValid() {
			_ = setField(f, text) // a field of another kind stays empty
		}
	}
	for i := range v.NumField() {
		if f := v.Field(i); f.Type() == reflect.TypeFor[ips.Date]() {
			f.Set(reflect.ValueOf(ips.Today()))
		}
	}
}

func setField(f reflect.Value, text string) error {
	if !f.IsValid() || !f.CanSet() {
		return errors.New("the request has no such field")
	}
	if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		f.SetInt(int64(n))
	default:
		return errors.New("put it into the file of -request")
	}
	return nil
}

// replay posts captured messages.
func replay(p *poster, file string, stdin io.Reader) error {
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return usage("%v", err)
		}
		defer f.Close()
		stdin = f
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, 8<<20) // what a client reads of an inbound request
	n := 0
	for lines.Scan() {
		form, err := url.ParseQuery(strings.TrimSpace(lines.Text()))
		if err != nil || !form.Has("pMerCode") || !form.Has("pSign") {
			continue
		}
		n++
		p.heard(fmt.Sprintf("captured message %d (%s %s)", n, form.Get("pMerCode"), form.Get("pErrCode")), strings.TrimSpace(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if n == 0 {
		return usage("no line is the body of a form post with pMerCode and pSign")
	}
	return p.failed
}

// poster sends messages and says what became of them.
type poster struct {
	http   http.Client
	to     string
	mu     sync.Mutex // of the following
	out    io.Writer
	failed error // no answer at all
}

// post sends a message that the handler must take, or must not.
func (p *poster) post(say string, message url.Values, take bool) error {
	status := p.heard(say, message.Encode())
	if taken := status == http.StatusOK; status == 0 || taken != take {
		return fmt.Errorf("%w: %s: want %s", errWrong, say, map[bool]string{true: "200", false: "a refusal"}[take])
	}
	return nil
}

// heard sends a message and returns the status of the answer, 0 for none.
func (p *poster) heard(say, body string) int {
	start := time.Now()
	resp, err := p.http.Post(p.to, "application/x-www-form-urlencoded", strings.NewReader(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "POST %s\n  %s\n", p.to, say)
	if err != nil {
		p.failed = cmp.Or(p.failed, errWrong)
		fmt.Fprintf(p.out, "  no answer: %v\n", err)
		return 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	means := "IPS will send it again"
	if resp.StatusCode == http.StatusOK {
		means = "taken"
	}
	fmt.Fprintf(p.out, "  %s after %s: %s\n  %q\n", resp.Status, time.Since(start).Round(time.Millisecond), means, strings.TrimSpace(string(text)))
	return resp.StatusCode
}
