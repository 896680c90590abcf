package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxStep bounds how many units the clock moves at once.
const maxStep = 10_000

func (c *console) advance(r *http.Request) (string, error) {
	unit, ok := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[r.PostForm.Get("unit")]
	amount, err := strconv.Atoi(strings.TrimSpace(r.PostForm.Get("amount")))
	if !ok || err != nil || amount < 1 || amount > maxStep {
		return "", fmt.Errorf("拨快：应为 1 至 %d 的整数，单位为秒、分钟、小时或天", maxStep)
	}
	return consolePrefix, c.sandbox.Advance(time.Duration(amount) * unit)
}

func (c *console) resend(r *http.Request) (string, error) {
	seq, err := strconv.ParseInt(pathValue(r, "seq"), 10, 64)
	if err != nil {
		return "", ErrNotFound
	}
	return consoleURL("notifications", strconv.FormatInt(seq, 10)), c.sandbox.Resend(seq)
}

func (c *console) setMode(r *http.Request) (string, error) {
	merchant, account := pathValue(r, "merchant"), pathValue(r, "account")
	page := consoleURL("accounts", merchant, account)
	if account == merchant {
		account = ""
	}
	auto, err := strconv.ParseBool(r.PostForm.Get("auto"))
	if err != nil {
		return "", errors.New("auto：应为 true 或 false")
	}
	return page, c.sandbox.SetAuto(merchant, account, auto)
}

func (c *console) setMandate(r *http.Request) (string, error) {
	merchant, account := pathValue(r, "merchant"), pathValue(r, "account")
	signed, err := strconv.ParseBool(r.PostForm.Get("signed"))
	if err != nil {
		return "", errors.New("signed：应为 true 或 false")
	}
	return consoleURL("accounts", merchant, account), c.sandbox.Mandate(merchant, account, signed)
}

func (c *console) deposit(r *http.Request) (string, error) {
	merchant, account := pathValue(r, "merchant"), pathValue(r, "account")
	fen, err := parseYuan(strings.TrimSpace(r.PostForm.Get("amount")))
	if err != nil {
		return "", err
	}
	return consoleURL("accounts", merchant, account), c.sandbox.Deposit(merchant, account, fen)
}

// parseYuan reads an amount of up to nine digits and two decimals exactly.
func parseYuan(text string) (fen int64, err error) {
	whole, cents, dot := strings.Cut(text, ".")
	digits := whole + (cents + "00")[:2]
	bad := whole == "" || len(whole) > 9 || len(cents) > 2 || dot && cents == "" || strings.Trim(digits, "0123456789") != ""
	if bad {
		return 0, fmt.Errorf("金额：应为不超过九位整数、两位小数的元，得到 %q", text)
	}
	return strconv.ParseInt(digits, 10, 64)
}

// faultsData are the faults that were ordered and what can be ordered.
type faultsData struct {
	Faults    []FaultState
	Kinds     []choice
	Merchants filterField
	Ops       filterField
}

func (c *console) faults(w http.ResponseWriter, _ *http.Request) {
	p := consolePage{Title: "故障", Section: "faults", Live: "state messages notifications", Version: c.version()}
	data := faultsData{Faults: c.sandbox.Faults(), Merchants: c.merchantFilter(), Ops: operationFilter()}
	for _, name := range faultNames() {
		data.Kinds = append(data.Kinds, choice{name, faultLabel(name)})
	}
	p.Data = data
	c.show(w, http.StatusOK, "faults", p)
}

// faultNames lists the names in the order of the operator's form.
func faultNames() []string {
	return []string{
		FaultLatency, FaultHTTP500, FaultHTTP502, FaultReset, FaultTruncate, FaultOversize, FaultSOAPFault,
		FaultNoticeDrop, FaultNoticeDelay, FaultNoticeDouble, FaultNoticeReorder,
		FaultNoticeBadSign, FaultNoticeOtherMerchant, FaultNoticeAmount,
		FaultCode, FaultStayPending, FaultRow,
	}
}

func faultLabel(name string) string {
	return map[string]string{
		FaultLatency:             "应答延迟",
		FaultHTTP500:             "应答 HTTP 500",
		FaultHTTP502:             "应答 HTTP 502",
		FaultReset:               "连接被重置",
		FaultTruncate:            "应答被截断",
		FaultOversize:            "应答过大",
		FaultSOAPFault:           "Web Service 返回 soap:Fault",
		FaultNoticeDrop:          "通知丢失",
		FaultNoticeDelay:         "通知延迟",
		FaultNoticeDouble:        "通知重复",
		FaultNoticeReorder:       "通知乱序",
		FaultNoticeBadSign:       "通知签名错误",
		FaultNoticeOtherMerchant: "通知商户号错误",
		FaultNoticeAmount:        "通知金额被改",
		FaultCode:                "返回指定返回码",
		FaultStayPending:         "结果挂起",
		FaultRow:                 "批量中一行失败",
	}[name]
}

// liveFaults counts the faults that may still meet something.
func (c *console) liveFaults() int {
	n := 0
	for _, f := range c.sandbox.Faults() {
		if f.Left != 0 {
			n++
		}
	}
	return n
}

func (c *console) orderFault(r *http.Request) (string, error) {
	f, err := readFault(r)
	if err != nil {
		return "", err
	}
	if _, err := c.sandbox.OrderFault(f); err != nil {
		return "", err
	}
	return consolePrefix + "faults", nil
}

// readFault reads a form in which what does not matter is left empty.
func readFault(r *http.Request) (Fault, error) {
	form := r.PostForm
	f := Fault{
		Name: form.Get("name"), Op: form.Get("op"), Merchant: form.Get("merchant"), After: form.Get("after") != "",
		Code: strings.TrimSpace(form.Get("code")), Text: strings.TrimSpace(form.Get("text")),
	}
	for _, number := range []struct {
		name string
		take func(text string) error
	}{
		{"count", func(t string) (err error) { f.Count, err = strconv.Atoi(t); return }},
		{"row", func(t string) (err error) { f.Row, err = strconv.Atoi(t); return }},
		{"size", func(t string) (err error) { f.Size, err = strconv.ParseInt(t, 10, 64); return }},
		{"probability", func(t string) (err error) { f.Probability, err = strconv.ParseFloat(t, 64); return }},
		{"delay", func(t string) (err error) { f.Delay, err = time.ParseDuration(t); return }},
	} {
		text := strings.TrimSpace(form.Get(number.name))
		if text == "" {
			continue
		}
		if err := number.take(text); err != nil {
			return Fault{}, fmt.Errorf("%s：无法识别 %q", number.name, text)
		}
	}
	return f, nil
}

func (c *console) liftFault(r *http.Request) (string, error) {
	id, err := strconv.ParseInt(r.PostForm.Get("id"), 10, 64)
	if err != nil {
		return "", errors.New("id：应为故障的编号")
	}
	return consolePrefix + "faults", c.sandbox.LiftFault(id)
}
