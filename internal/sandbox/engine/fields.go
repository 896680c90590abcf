package engine

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// field is an element of a request as the manual describes it.
type field struct {
	name     string // on the wire
	label    string // in texts
	rule     rule
	optional bool
	closed   string              // a value that the manual names and the platform does not offer
	mask     func(string) string // hides a person's data in texts
	code     string              // when malformed; "" takes the general scheme
}

// rule is what the content of a field must be.
type rule struct {
	says string
	ok   func(string) bool
}

// request lists the fields of a request and adds those at the end of every
// one: the return address of operations with a page, the notification address
// and the memos.
func request(page bool, fields ...field) []field {
	if page {
		fields = append(fields, field{name: "pWebUrl", label: "页面返回地址", rule: httpURL()})
	}
	fields = append(fields, field{name: "pS2SUrl", label: "异步通知地址", rule: httpURL()})
	for _, memo := range memos {
		fields = append(fields, field{name: memo, label: "备注" + memo[len(memo)-1:], rule: text(100), optional: true})
	}
	return fields
}

var memos = [...]string{"pMemo1", "pMemo2", "pMemo3"}

func merBillNo() field { return field{name: "pMerBillNo", label: "商户订单号", rule: orderNo()} }
func bidNo() field     { return field{name: "pBidNo", label: "标的号", rule: alnum(30)} }

func date(name, label string) field { return field{name: name, label: label, rule: dateRule()} }

// person are the fields that name a person and his custody account.
func person(account string) []field {
	return []field{
		{name: "pIdentNo", label: "证件号码", rule: text(20), mask: MaskMiddle},
		{name: "pRealName", label: "真实姓名", rule: text(30), mask: maskName},
		{name: account, label: "托管账户号", rule: text(30)},
	}
}

// amounts of money in fen
const (
	yuan      = 100
	maxAmount = 999_999_999_99 // N(9,2)
	maxBid    = 100_000_000 * yuan
)

func positive() rule { return amount(1, maxAmount, "必须为大于0且最多两位小数的金额") }
func notNegative() rule {
	return amount(0, maxAmount, "必须为不小于0且最多两位小数的金额")
}

func amount(lowest, highest int64, says string) rule {
	return rule{says, func(s string) bool {
		fen, ok := ParseDecimal(s, 9)
		return ok && fen >= lowest && fen <= highest
	}}
}

// rate takes percents with two decimals, from lowest up to and without below.
func rate(lowest, below int64, says string) rule {
	return rule{says, func(s string) bool {
		r, ok := ParseDecimal(s, 3)
		return ok && r >= lowest && r < below
	}}
}

func integer(lowest, highest int64) rule {
	return rule{fmt.Sprintf("必须为%d至%d的整数", lowest, highest), func(s string) bool {
		n, ok := parseInteger(s)
		return ok && n >= lowest && n <= highest
	}}
}

func oneOf(values ...string) rule {
	return rule{"必须为" + strings.Join(values, "、") + "之一", func(s string) bool {
		for _, v := range values {
			if s == v {
				return true
			}
		}
		return false
	}}
}

func dateRule() rule {
	return rule{"格式不正确", func(s string) bool {
		_, err := time.Parse(dateLayout, s)
		return err == nil
	}}
}

// orderNo takes any 30 characters: merchants were free in their numbers.
func orderNo() rule { return text(30) }

func alnum(longest int) rule {
	return rule{fmt.Sprintf("必须为1至%d位字母或数字", longest), func(s string) bool {
		return len(s) <= longest && strings.IndexFunc(s, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) < 0
	}}
}

// text counts characters, not bytes.
func text(longest int) rule {
	return rule{fmt.Sprintf("不能超过%d个字符且不含控制字符", longest), func(s string) bool {
		return utf8.RuneCountInString(s) <= longest && strings.IndexFunc(s, func(r rune) bool {
			return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
		}) < 0
	}}
}

func httpURL() rule {
	return rule{"必须为完整的http或https地址", IsHTTPURL}
}

// IsHTTPURL says whether s is an address that a browser or the sandbox can be
// sent to.
func IsHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// read checks every field of a message by itself: presence first, then
// content, both in the order of the manual.
func (op *operation) read(msg Message) *refusal {
	rows := msg.rows("pDetails")
	for _, check := range []func(f *field, value string, row int) *refusal{op.checkPresence, op.checkContent} {
		for i := range op.fields {
			if r := check(&op.fields[i], msg.Get(op.fields[i].name), 0); r != nil {
				return r
			}
		}
		switch {
		case op.rows != nil && len(rows) == 0:
			return op.missing("pDetails", "明细")
		case op.rows != nil && len(rows) > op.maxRows:
			return op.malformed("pDetails", "明细", fmt.Sprintf("不能超过%d行", op.maxRows), strconv.Itoa(len(rows)))
		case op.rows == nil:
			continue
		}
		for n, row := range rows {
			for i := range op.rows {
				if r := check(&op.rows[i], row.Get(op.rows[i].name), n+1); r != nil {
					return r
				}
			}
		}
	}
	return nil
}

func (op *operation) checkPresence(f *field, value string, row int) *refusal {
	if f.optional || strings.TrimSpace(value) != "" {
		return nil
	}
	return op.missing(inRow(row, f.name), inRow(row, f.label))
}

func (op *operation) checkContent(f *field, value string, row int) *refusal {
	switch {
	case value == "":
		return nil
	case f.closed != "" && value == f.closed:
		return op.refuse(notOpen, f.name, value)
	case f.rule.ok(value):
		return nil
	case f.code != "":
		return refuse(op.title, f.code)
	case f.mask != nil:
		value = f.mask(value)
	}
	return op.malformed(inRow(row, f.name), inRow(row, f.label), f.rule.says, value)
}

func inRow(row int, name string) string {
	if row == 0 {
		return name
	}
	return fmt.Sprintf("第%d行%s", row, name)
}

// missing refuses a field that is empty. Repayments have a text of their own
// for whatever is wrong with a field.
func (op *operation) missing(name, label string) *refusal {
	if op.fieldCode != "" {
		return refuse(op.title, op.fieldCode, name+" 是必填项").ofShape()
	}
	return refuse(op.title, codeMissing, label).ofShape()
}

func (op *operation) malformed(name, label, says, value string) *refusal {
	if op.fieldCode != "" {
		return refuse(op.title, op.fieldCode, name+" "+says)
	}
	return op.refuse(malformed, label, says, name, value)
}

// rows are the pRow of the named element.
func (m Message) rows(name string) []Message {
	for i := range m {
		if m[i].Name == name {
			return m[i].Rows
		}
	}
	return nil
}

// fen is the amount in a field whose form has been checked.
func (m Message) fen(name string) int64 {
	v, _ := ParseDecimal(m.Get(name), 9)
	return v
}

// number is the integer in a field whose form has been checked.
func (m Message) number(name string) int64 {
	n, _ := parseInteger(m.Get(name))
	return n
}

// ParseDecimal reads a decimal of at most two places, without a sign, as
// hundredths.
func ParseDecimal(s string, integerDigits int) (int64, bool) {
	whole, cents, dot := strings.Cut(s, ".")
	if whole == "" || len(whole) > integerDigits || (dot && (cents == "" || len(cents) > 2)) {
		return 0, false
	}
	cents = (cents + "00")[:2]
	n, ok := parseInteger(whole + cents)
	return n, ok
}

func parseInteger(s string) (int64, bool) {
	if s == "" || len(s) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// formatFen writes an amount as the wire has it.
func formatFen(fen int64) string {
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}

// MaskMiddle keeps the first three and the last four characters of a number
// that is long enough to hide something between them.
func MaskMiddle(s string) string {
	runes := []rune(s)
	for i := range runes {
		if len(runes) < 11 || (i >= 3 && i < len(runes)-4) {
			runes[i] = '*'
		}
	}
	return string(runes)
}

// maskName keeps the family name.
func maskName(s string) string {
	runes := []rune(s)
	for i := 1; i < len(runes); i++ {
		runes[i] = '*'
	}
	return string(runes)
}

// dateLayout and timeLayout are the wire's dates and times.
const (
	dateLayout = "20060102"
	timeLayout = "20060102150405"
)

// China is China Standard Time, which has no summer time; a fixed zone makes
// the engine independent of the machine's time zone data.
var China = time.FixedZone("CST", 8*60*60)

func wireDate(t time.Time) string { return t.In(China).Format(dateLayout) }
func wireTime(t time.Time) string { return t.In(China).Format(timeLayout) }

// is says whether a value is the wanted one; "" wants all.
func is(want, value string) bool { return want == "" || want == value }

// monthsLater is the same day some months on in China, or the last day of a
// month that has no such day.
func monthsLater(now time.Time, n int) time.Time {
	local := now.In(China)
	first := time.Date(local.Year(), local.Month()+time.Month(n), 1, 0, 0, 0, 0, China)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(local.Day(), last)-1)
}

// What an account type says.
const (
	organisation = "0"
	aPerson      = "1"
)

// What a row's pStatus says.
const (
	rowDone   = "Y"
	rowFailed = "N"
)
