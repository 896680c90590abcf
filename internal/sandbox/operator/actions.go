// Package operator is what the people who run a sandbox can do to it. The admin
// API and the console offer the same actions.
package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Platform is the sandbox as its operator sees it.
type Platform interface {
	OrderFault(fault.Fault) (int64, error)
	LiftFault(id int64) error
	LiftFaults() error
	Faults() []fault.State
	Release(merchant, op string) error
	Reset() error
	// Sample fills the sandbox with something to look at.
	Sample(merchant, base string) error
	Now() time.Time
	Offset() time.Duration
	Advance(time.Duration) error
	CheckBooks() error
	Deposit(merchant, account string, fen int64) error
	SetAuto(merchant, account string, auto bool) error
	Mandate(merchant, account string, signed bool) error
	SeedOldBid(merchant string, bid engine.OldBid) error
	Notifications() []notifier.Notification
	Resend(seq int64) error
	Messages() []messages.Message
	ReplySMS(id string, yes bool) error
	Engine() *engine.Engine
	// Local says whether a host name is one that people may use.
	Local(host string) bool
	// Unavailable says whether an error means that the sandbox can do nothing
	// any more, and Unknown that it knows of no such thing.
	Unavailable(error) bool
	Unknown(error) bool
}

// Error is an error that says with which status it is answered.
type Error struct {
	Status int
	Text   string
}

func (e *Error) Error() string { return e.Text }

func bad(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Input is what an action is told.
type Input interface {
	// Read fills in a struct, by the names in its json tags.
	Read(into any) error
	// Value is a parameter that names what the action is about.
	Value(name string) string
	// Base is the address under which the sandbox was reached.
	Base() string
}

// told is an action that is told something; nothing else may be said.
func told[T any](do func(p Platform, in Input, what T) (any, error)) Action {
	return func(p Platform, in Input) (any, error) {
		var what T
		if err := in.Read(&what); err != nil {
			return nil, err
		}
		return do(p, in, what)
	}
}

// Action does something and says what there is to say about it.
type Action func(p Platform, in Input) (any, error)

// The actions, by the names that they have in the admin API.
var actions = map[string]Action{
	"faults": func(p Platform, in Input) (any, error) {
		f, err := readFault(in.Read)
		if err != nil {
			return nil, err
		}
		id, err := p.OrderFault(f)
		return map[string]int64{"id": id}, err
	},
	"faults/lift": func(p Platform, in Input) (any, error) {
		id, err := number(in, "id")
		if err != nil {
			return nil, err
		}
		return nil, p.LiftFault(id)
	},
	"release": told(func(p Platform, _ Input, r struct {
		Merchant string `json:"merchant"`
		Op       string `json:"op"`
	}) (any, error) {
		return nil, p.Release(r.Merchant, r.Op)
	}),
	"reset": told(func(p Platform, _ Input, _ struct{}) (any, error) { return nil, p.Reset() }),
	"sample": told(func(p Platform, in Input, r struct {
		Merchant string `json:"merchant"`
	}) (any, error) {
		return nil, p.Sample(r.Merchant, in.Base())
	}),
	"clock/advance": told(func(p Platform, _ Input, c struct {
		By string `json:"by"`
	}) (any, error) {
		by, err := duration("by", "拨快", c.By)
		if err == nil {
			err = p.Advance(by)
		}
		return clock(p), err
	}),
	"deposit": told(func(p Platform, _ Input, d struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Fen      int64  `json:"fen"`
		Yuan     string `json:"yuan"` // in place of fen
	}) (any, error) {
		if d.Yuan != "" {
			var err error
			if d.Fen, err = parseYuan(d.Yuan); err != nil {
				return nil, err
			}
		}
		return nil, p.Deposit(d.Merchant, d.Account, d.Fen)
	}),
	"mode": told(func(p Platform, _ Input, m struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Mode     string `json:"mode"`
	}) (any, error) {
		if m.Mode != "auto" && m.Mode != "manual" {
			return nil, engine.Wrong("mode: want auto or manual, got %q", "确认方式须为 auto 或 manual，现为 %q", m.Mode)
		}
		return nil, p.SetAuto(m.Merchant, m.Account, m.Mode == "auto")
	}),
	"mandate": told(func(p Platform, _ Input, m struct {
		Merchant string `json:"merchant"`
		Account  string `json:"account"`
		Signed   *bool  `json:"signed"`
	}) (any, error) {
		if m.Signed == nil {
			return nil, engine.Wrong("signed: want true or false, got nothing", "没有说明是签署还是撤销")
		}
		return nil, p.Mandate(m.Merchant, m.Account, *m.Signed)
	}),
	"oldbids": told(func(p Platform, _ Input, b OldBid) (any, error) {
		bid, err := b.Read()
		if err != nil {
			return nil, err
		}
		return nil, p.SeedOldBid(b.Merchant, bid)
	}),
	"notifications/{seq}/resend": told(func(p Platform, in Input, _ struct{}) (any, error) {
		seq, err := number(in, "seq")
		if err != nil {
			return nil, err
		}
		return nil, p.Resend(seq)
	}),
	"sms/{id}": told(func(p Platform, in Input, r struct {
		Yes *bool `json:"yes"`
	}) (any, error) {
		if r.Yes == nil {
			return nil, engine.Wrong("yes: want true or false, got nothing", "没有说明是同意还是拒绝")
		}
		return nil, p.ReplySMS(in.Value("id"), *r.Yes)
	}),
}

// readFault reads a fault whose delay is written as Go writes it.
func readFault(read func(into any) error) (fault.Fault, error) {
	var f struct {
		fault.Fault
		Delay string `json:"delay"`
	}
	if err := read(&f); err != nil {
		return f.Fault, err
	}
	var err error
	f.Fault.Delay, err = duration("delay", "延迟", f.Delay)
	return f.Fault, err
}

// ParseFault reads a fault as a command line writes it: its name and, behind a
// colon, what else there is to say, separated by commas. The keys are those of
// the admin API; after needs no value.
//
//	reset:op=Transfer,count=2,after
//	notice-delay:delay=3s,probability=0.1
func ParseFault(text string) (fault.Fault, error) {
	name, rest, _ := strings.Cut(text, ":")
	f, err := readFault(func(into any) error { return fillFrom(into, rest, "after") })
	f.Name = strings.TrimSpace(name)
	if err != nil {
		return f, fmt.Errorf("sandbox: fault %s: %w", f.Name, err)
	}
	return f, f.Check()
}

// fillFrom fills in a struct from name=value, separated by commas, once each.
// The value of bare may be left out and is then true.
func fillFrom(into any, text, bare string) error {
	values := url.Values{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case text == "":
			continue
		case !ok && name == bare:
			value = "true"
		case !ok || values.Has(name):
			return fmt.Errorf("want name=value once each, got %q", part)
		}
		values.Set(name, value)
	}
	err := fill(into, func(name string) string {
		value := values.Get(name)
		values.Del(name)
		return value
	})
	for name := range values {
		err = errors.Join(err, fmt.Errorf("%s: unknown key", name))
	}
	return err
}

// OldBid is a bid of the interface before v2.0, as an operator writes it.
type OldBid struct {
	Merchant string `json:"merchant"` // merchant code
	Bid      string `json:"bid"`      // pBidNo
	Contract string `json:"contract"` // pContractNo
	Release  string `json:"release"`  // pMerchantBillNo: order number of the old release of funds
	Borrower string `json:"borrower"` // custody account
	Owed     string `json:"owed"`     // ACCOUNT:YUAN of each investor, separated by blanks
}

// Read makes an old bid of it.
func (b OldBid) Read() (engine.OldBid, error) {
	bid := engine.OldBid{BidNo: b.Bid, ContractNo: b.Contract, Release: b.Release, Borrower: b.Borrower}
	for _, claim := range strings.Fields(b.Owed) {
		account, amount, ok := strings.Cut(claim, ":")
		if !ok {
			return bid, engine.Wrong("owed: want ACCOUNT:YUAN, separated by blanks, got %q", "投资人须写成 账号:金额，以空格分隔，现为 %q", claim)
		}
		fen, err := parseYuan(amount)
		if err != nil {
			return bid, fmt.Errorf("owed: %w", err)
		}
		bid.Owed = append(bid.Owed, engine.OldClaim{Account: account, Amount: fen})
	}
	return bid, nil
}

// ParseOldBid reads an old bid as a command line writes it: the fields of
// [OldBid] by their names, separated by commas.
//
//	merchant=808801,bid=OLD1,contract=HT1,release=F1,borrower=4021…,owed=4021…:300.00 4021…:200.00
func ParseOldBid(text string) (engine.OldBidInfo, error) {
	var b OldBid
	if err := fillFrom(&b, text, ""); err != nil {
		return engine.OldBidInfo{}, fmt.Errorf("sandbox: old bid: %w", err)
	}
	bid, err := b.Read()
	if err == nil && len(bid.Owed) == 0 {
		err = errors.New("sandbox: old bid: owed: nobody is owed anything")
	}
	return engine.OldBidInfo{Merchant: b.Merchant, OldBid: bid}, err
}

// Form is the input of a form in a browser, in which what does not matter is
// left empty. Path says what stands in the path.
type Form struct {
	*http.Request
	Path func(name string) string
}

// Value is a field, or what stands in the path.
func (f Form) Value(name string) string {
	if v := f.Path(name); v != "" {
		return v
	}
	return strings.TrimSpace(f.PostForm.Get(name))
}

// Base is the address under which the sandbox was reached.
func (f Form) Base() string { return wire.Base(f.Request) }

// Read fills in a struct.
func (f Form) Read(into any) error { return fill(into, f.Value) }

// fill fills in a struct from texts, by the names in its json tags.
func fill(into any, value func(name string) string) error {
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			if err := fill(v.Field(i).Addr().Interface(), value); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		text := ""
		if name != "" && name != "-" {
			text = value(name)
		}
		switch {
		case text == "":
		case field.Type.Kind() == reflect.String:
			v.Field(i).SetString(text)
		default:
			if json.Unmarshal([]byte(text), v.Field(i).Addr().Interface()) != nil {
				return engine.Wrong("%s: not understood: %q", "%s 无法识别：%q", name, text)
			}
		}
	}
	return nil
}

// Do does the named action.
func Do(name string, p Platform, in Input) (any, error) {
	action := actions[name]
	if action == nil {
		return nil, errors.New("no action " + name)
	}
	return action(p, in)
}

// number reads the number of what the action is about.
func number(in Input, name string) (int64, error) {
	n, err := strconv.ParseInt(in.Value(name), 10, 64)
	if err != nil {
		return 0, engine.Wrong("%s: want a number, got %q", "%s 须为编号，现为 %q", name, in.Value(name))
	}
	return n, nil
}

// duration reads a duration as Go writes it: 1h30m, 250ms. "" is 0. The field has
// words for people.
func duration(field, words, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, engine.Wrong("%s: want a duration such as 30m or 250ms, got %q", words+"须为时长，如 30m 或 250ms，现为 %[2]q", field, text)
	}
	return d, nil
}

// parseYuan reads an amount of up to nine digits and two decimals exactly.
func parseYuan(text string) (int64, error) {
	fen, ok := engine.ParseDecimal(text, 9)
	if !ok {
		return 0, engine.Wrong("yuan: want at most nine digits and two decimals, got %q", "金额须为至多九位整数、两位小数的元，现为 %q", text)
	}
	return fen, nil
}
