package ips

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/codec"
)

// The rules of single fields stand in the struct tag "check", separated by
// commas:
//
//	optional          may be empty; without it a field is required
//	max=30            at most so many characters (not bytes)
//	len=5             exactly so many characters
//	alnum             a–z A–Z 0–9 only
//	digits            0–9 only
//	url               absolute http or https URL
//	gt=0 ge=0 lt=48 le=100000000
//	                  bounds of amounts (yuan), rates (percent) and integers
//	oneof=1 2         the legal values of an enumeration
//	rows=3000         1 to so many rows
//	secret            never quote the value
//
// Elements that carry an order number have one more, whatever their tag says:
// ASCII letters, digits, - and _. Tabs and line breaks are refused in secret texts
// only, and so are blanks alone where a field is optional: a memo may be so.
//
// Rules between fields are in the request's check method. What a broken rule is
// called, in code, English and Chinese, stands in sentences.

// checker is a request with rules between its fields.
type checker interface{ check(v *validation) }

// validation collects the broken rules of one request.
type validation struct {
	known  [2]string // URLs that need no further look: the client's own
	fields []FieldError
}

// add notes a broken rule of the field with the given wire and Go names.
func (v *validation) add(wire, goName string, r *brokenRule, value string) {
	v.fields = append(v.fields, FieldError{Wire: wire, Go: goName, Code: r.code, Limit: r.limit, Rule: r.english, Chinese: r.chinese, Value: value})
}

// addf is add for a rule between fields; the rule is a key of sentences, with
// args.
func (v *validation) addf(wire, goName, value, rule string, args ...any) {
	v.add(wire, goName, broken(rule, args...), value)
}

// addRow is addf for a field of row i, from 0, of the details.
func (v *validation) addRow(i int, wire, goName, value, rule string, args ...any) {
	v.addf(fmt.Sprintf("pDetails/pRow[%d]/%s", i+1, wire), fmt.Sprintf("Rows[%d].%s", i, goName), value, rule, args...)
}

// brokenRule is a rule that a value breaks.
type brokenRule struct{ code, limit, english, chinese string }

// sentence is what a broken rule is called besides its English. chinese is a
// format of the same args; the limit "args" stands for them.
type sentence struct{ code, limit, chinese string }

// sentences are all that is said of a broken rule, by the English format.
var sentences = map[string]sentence{
	// of one field
	"must not be empty":                              {"required", "", "不能为空"},
	"must be given":                                  {"required", "", "必须填写"},
	"must be a day of the calendar":                  {"date", "", "必须是日历上存在的日期"},
	"must have 1 to %d rows":                         {"rows", "args", "必须有 1 至 %d 行明细"},
	"must be more than %s":                           {"more", "args", "必须大于 %s"},
	"must be at least %s":                            {"min", "args", "不能小于 %s"},
	"must be less than %s":                           {"less", "args", "必须小于 %s"},
	"must be at most %s":                             {"max", "args", "不能大于 %s"},
	"must have at most %s characters":                {"max_length", "args", "不能超过 %s 个字符"},
	"must have exactly %s characters":                {"length", "args", "必须为 %s 个字符"},
	"must be letters a–z, A–Z and digits only":       {"letters_digits", "", "只能是英文字母和数字"},
	"must be letters a–z, A–Z, digits, - and _ only": {"order_number", "", "只能是英文字母、数字、- 和 _"},
	"must be digits only":                            {"digits", "", "只能是数字"},
	"must be an absolute http or https URL":          {"url", "", "必须是完整的 http 或 https 地址"},
	"must be one of %s":                              {"choice", "args", "只能是 %s 之一"},
	"must be UTF-8":                                  {"utf8", "", "必须是 UTF-8 编码"},
	"must not hold the control character %s":         {"character", "args", "不能含控制字符 %s"},
	"must not be blank":                              {"blank", "", "不能只有空白"},
	// between fields
	"must be at most %d %s":                                        {"max", "args", "不能大于 %d %s"},
	"must be at least TermFrom %d":                                 {"min", "args", "不能小于 TermFrom %d"},
	"must be at least AmountFrom %s":                               {"min", "args", "不能小于 AmountFrom %s"},
	"must be at least RateFrom %s":                                 {"min", "args", "不能小于 RateFrom %s"},
	"must be 0 for an unlimited contract":                          {"max", "0", "无期限的签约必须为 0"},
	"must be more than 0 unless ValidUnit is PeriodUnlimited (N)":  {"more", "0", "除非 ValidUnit 为 PeriodUnlimited（N），必须大于 0"},
	"must not be empty for an e-bank recharge":                     {"required", "", "网银充值时不能为空"},
	"must be empty for a withholding recharge":                     {"none", "", "代扣充值时必须为空"},
	"must not be empty for a person":                               {"required", "", "个人账户不能为空"},
	"must be more than Fee (pTTrdFee) %s":                          {"more", "args", "必须大于 Fee（pTTrdFee）%s"},
	"must be more than Fee (pInFee) %s":                            {"more", "args", "必须大于 Fee（pInFee）%s"},
	"must be the sum of the rows' Amount (pTTrdAmt), %s":           {"sum", "args", "必须等于各行 Amount（pTTrdAmt）之和 %s"},
	"must be the sum of the rows' Amount (pInAmt), %s":             {"sum", "args", "必须等于各行 Amount（pInAmt）之和 %s"},
	"must be the sum of the rows' BorrowerFee (pOutInfoFee), %s":   {"sum", "args", "必须等于各行 BorrowerFee（pOutInfoFee）之和 %s"},
	"must be 70 %% to 130 %% of FaceAmount %s":                     {"range", "70 %, 130 %", "必须为 FaceAmount %s 的 70 %% 至 130 %%"},
	"must not be the assignor's account":                           {"other", "", "不能是出让方的账户"},
	"must not be the payer's account":                              {"other", "", "不能是付款方的账户"},
	"must be the same borrower in every row of Type 1":             {"same", "", "Type 为 1 时各行必须是同一借款人"},
	"must be the same guarantor in every row of Type 2":            {"same", "", "Type 为 2 时各行必须是同一担保人"},
	"must be row by row (1) unless Type is TransferInvestment (1)": {"choice", "1", "除非 Type 为 TransferInvestment（1），只能逐笔入帐（1）"},
	"must have exactly 1 row for Type %s":                          {"rows", "1", "Type 为 %s 时必须恰好有 1 行明细"},
}

var chineseUnits = strings.NewReplacer("days", "天", "months", "个月")

// broken says what is wrong, by a key of sentences.
func broken(english string, args ...any) *brokenRule {
	s := sentences[english]
	if s.limit == "args" {
		s.limit = strings.TrimSpace(fmt.Sprintln(args...))
	}
	return &brokenRule{s.code, s.limit, fmt.Sprintf(english, args...), chineseUnits.Replace(fmt.Sprintf(s.chinese, args...))}
}

// plan is what the tags of a request's or a row's struct say, worked out once.
type plan struct {
	fields []plannedField
	at     map[string][]int // where the caller's fields are, by their wire names
}

// plannedField is a field that the caller fills in.
type plannedField struct {
	*codec.Field
	broken func(value reflect.Value) *brokenRule // the first rule that the value breaks, nil for none
	shown  func(text string) string              // the value as an error may show it
	url    bool
	secret bool
	rows   *plan // of each row
	most   int   // rows
}

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{at: make(map[string][]int)}
	fields := codec.Fields(t)
	for i := range fields {
		f := &fields[i]
		if f.IsConst || f.Variant || f.CopyOf != "" {
			continue
		}
		p.at[f.Name] = f.Index
		rules := parseRules(f.Tag.Get("check"))
		if f.Row != "" {
			p.fields = append(p.fields, plannedField{Field: f, rows: planOf(f.Type.Elem()), most: rules.find("rows").number})
			continue
		}
		if strings.HasSuffix(f.Name, "MerBillNo") {
			rules = append(rules, rule{key: "order"})
		}
		p.fields = append(p.fields, plannedField{Field: f, broken: rules.compile(f), shown: rules.shown(), url: rules.find("url") != nil, secret: rules.find("secret") != nil})
	}
	got, _ := plans.LoadOrStore(t, p)
	return got.(*plan)
}

// validate checks the struct that req points to against all rules at once.
// known are URLs that are right.
func (p *plan) validate(op Operation, req any, known ...string) error {
	var v validation
	copy(v.known[:], known)
	p.check(&v, reflect.ValueOf(req).Elem(), nil)
	if c, ok := req.(checker); ok {
		c.check(&v)
	}
	if len(v.fields) == 0 {
		return nil
	}
	return &ValidationError{Operation: op, Fields: v.fields}
}

// row is the row that a field stands in; nil is none.
type row struct {
	of    *plannedField
	index int
}

// names are the full names of a field, for an error.
func (r *row) names(f *plannedField) (wire, goName string) {
	if r == nil {
		return f.Name, f.GoName
	}
	return fmt.Sprintf("%s/%s[%d]/%s", r.of.Name, r.of.Row, r.index+1, f.Name), fmt.Sprintf("%s[%d].%s", r.of.GoName, r.index, f.GoName)
}

func (p *plan) check(v *validation, s reflect.Value, in *row) {
	for i := range p.fields {
		f := &p.fields[i]
		value := s.FieldByIndex(f.Index)
		if f.rows != nil {
			f.checkRows(v, value)
			continue
		}
		if f.url && value.String() != "" && slices.Contains(v.known[:], value.String()) {
			continue
		}
		if broken := f.broken(value); broken != nil {
			wire, goName := in.names(f)
			v.add(wire, goName, broken, f.shown(codec.Text(s, f.Field)))
		}
	}
}

func (f *plannedField) checkRows(v *validation, rows reflect.Value) {
	n := rows.Len()
	if n < 1 || n > f.most {
		v.addf(f.Name, f.GoName, fmt.Sprintf("%d rows", n), "must have 1 to %d rows", f.most)
	}
	// Rows beyond the limit are not looked at: one complaint is enough.
	in := row{of: f}
	for in.index = range min(n, f.most) {
		f.rows.check(v, rows.Index(in.index), &in)
	}
}

// rules are those of one field, in the order of its tag.
type rules []rule

type rule struct {
	key, value string
	number     int   // of max, len and rows
	hundredths int64 // of the bounds
}

// parseRules panics on a tag that makes no sense, which is a mistake in the
// program and not in its input.
func parseRules(tag string) rules {
	var all rules
	for text := range strings.SplitSeq(tag, ",") {
		r := rule{}
		var err error
		switch r.key, r.value, _ = strings.Cut(text, "="); r.key {
		case "", "optional", "alnum", "digits", "url", "secret", "oneof":
		case "max", "len", "rows":
			r.number, err = strconv.Atoi(r.value)
		case "gt", "ge", "lt", "le":
			r.hundredths, err = parseHundredths(r.value, 9)
		default:
			err = errors.New("no such rule")
		}
		if err != nil {
			panic(fmt.Sprintf("ips: check tag %q: %q: %v", tag, text, err))
		}
		all = append(all, r)
	}
	return all
}

// find is the rule of the key, nil for none.
func (r rules) find(key string) *rule {
	for i := range r {
		if r[i].key == key {
			return &r[i]
		}
	}
	return nil
}

// shown says how an error may show the field's value.
func (r rules) shown() func(string) string {
	switch {
	case r.find("secret") != nil:
		return personal
	case r.find("url") != nil:
		return shownURL
	default:
		return quote
	}
}

var (
	amountType = reflect.TypeFor[Amount]()
	rateType   = reflect.TypeFor[Rate]()
	dateType   = reflect.TypeFor[Date]()
)

// compile makes the check of one field.
func (r rules) compile(f *codec.Field) func(reflect.Value) *brokenRule {
	switch {
	case f.Type == amountType, f.Type == rateType:
		check := r.compileBounds(100, "999999999.99", int64(MaxAmount))
		return func(v reflect.Value) *brokenRule { return check(v.Int()) }
	case f.Type == dateType:
		return func(v reflect.Value) *brokenRule { return brokenDate(*v.Addr().Interface().(*Date)) }
	case f.Type.Kind() == reflect.Int:
		check := r.compileBounds(1, "999999999", 999_999_999)
		return func(v reflect.Value) *brokenRule { return check(v.Int()) }
	}
	check := r.compileText()
	return func(v reflect.Value) *brokenRule { return check(cmp.Or(v.String(), f.Default)) }
}

func brokenDate(d Date) *brokenRule {
	switch {
	case d.IsZero():
		return broken("must be given")
	case !d.Valid():
		return broken("must be a day of the calendar")
	}
	return nil
}

// compileBounds makes the check of a number that counts in 1/unit.
func (r rules) compileBounds(unit int64, mostText string, most int64) func(n int64) *brokenRule {
	type bound struct {
		low, high int64 // both are legal
		broken    *brokenRule
	}
	var bounds []bound
	for _, one := range r {
		limit := one.hundredths * unit / 100
		b := bound{low: math.MinInt64, high: math.MaxInt64}
		switch one.key {
		case "gt":
			b.low, b.broken = limit+1, broken("must be more than %s", one.value)
		case "ge":
			b.low, b.broken = limit, broken("must be at least %s", one.value)
		case "lt":
			b.high, b.broken = limit-1, broken("must be less than %s", one.value)
		case "le":
			b.high, b.broken = limit, broken("must be at most %s", one.value)
		default:
			continue
		}
		bounds = append(bounds, b)
	}
	bounds = append(bounds,
		bound{0, math.MaxInt64, broken("must be at least %s", "0")}, // no number on the wire has a sign
		bound{math.MinInt64, most, broken("must be at most %s", mostText)})
	return func(n int64) *brokenRule {
		for i := range bounds {
			if b := &bounds[i]; n < b.low || n > b.high {
				return b.broken
			}
		}
		return nil
	}
}

// compileText makes the check of a text.
func (r rules) compileText() func(text string) *brokenRule {
	type check struct {
		holds  func(text string, characters int) bool
		broken *brokenRule
	}
	var checks []check
	add := func(b *brokenRule, holds func(string, int) bool) { checks = append(checks, check{holds, b}) }
	for _, one := range r {
		limit := one.number
		switch one.key {
		case "max":
			add(broken("must have at most %s characters", one.value), func(_ string, n int) bool { return n <= limit })
		case "len":
			add(broken("must have exactly %s characters", one.value), func(_ string, n int) bool { return n == limit })
		case "alnum":
			add(broken("must be letters a–z, A–Z and digits only"), func(text string, _ int) bool { return alnum(text) })
		case "order": // our choice: nothing that looks like another number, and nothing that has to be escaped anywhere
			add(broken("must be letters a–z, A–Z, digits, - and _ only"), func(text string, _ int) bool { return orderNumber(text) })
		case "digits":
			add(broken("must be digits only"), func(text string, _ int) bool { return digits(text) })
		case "url":
			add(broken("must be an absolute http or https URL"), func(text string, _ int) bool { return absoluteURL(text) })
		case "oneof":
			legal := strings.Fields(one.value)
			add(broken("must be one of %s", strings.Join(legal, ", ")), func(text string, _ int) bool { return slices.Contains(legal, text) })
		}
	}
	optional, lines := r.find("optional") != nil, r.find("secret") == nil
	return func(text string) *brokenRule {
		if text == "" && optional {
			return nil
		}
		if text == "" {
			return broken("must not be empty")
		}
		characters, broken := countCharacters(text, lines, lines && optional)
		if broken != nil {
			return broken
		}
		for i := range checks {
			if !checks[i].holds(text, characters) {
				return checks[i].broken
			}
		}
		return nil
	}
}

// countCharacters counts the characters of a text that the wire can carry, and
// says what is wrong with another. Some texts may have tabs and line breaks,
// some may be of nothing but blanks.
func countCharacters(text string, lines, blanks bool) (n int, wrong *brokenRule) {
	for i, r := range text {
		switch {
		case r > ' ' && r <= '~':
			blanks = true
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return 0, broken("must be UTF-8")
		case unicode.IsControl(r) && !(lines && strings.ContainsRune("\t\n\r", r)), r == 0xFFFE, r == 0xFFFF: // XML has no place for the last two either
			return 0, broken("must not hold the control character %s", fmt.Sprintf("%U", r))
		default:
			blanks = blanks || !unicode.IsSpace(r)
		}
		n++
	}
	if !blanks {
		return 0, broken("must not be blank")
	}
	return n, nil
}

// quote shows a value that is not personal, cut to a readable length.
func quote(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return fmt.Sprintf("%q… (%d characters)", string(r[:most]), len(r))
	}
	return strconv.Quote(text)
}

// personal stands for a value that must not be in logs: ids, names, accounts.
func personal(text string) string {
	return fmt.Sprintf("a value of %d characters", utf8.RuneCountInString(text))
}

// shownURL quotes a URL unless it may hold a password.
func shownURL(s string) string {
	if strings.Contains(s, "@") {
		return personal(s)
	}
	return quote(s)
}

func notAlnum(r rune) bool { return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') }

func alnum(s string) bool { return !strings.ContainsFunc(s, notAlnum) }

func orderNumber(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return notAlnum(r) && r != '-' && r != '_' })
}

func absoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}
