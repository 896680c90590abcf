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
// Rules between fields are in the request's check method.

// checker is a request with rules between its fields.
type checker interface{ check(v *validation) }

// validation collects the broken rules of one request.
type validation struct {
	known  [2]string // URLs that need no further look: the client's own
	fields []FieldError
}

// add notes a broken rule of the field with the given wire and Go names.
func (v *validation) add(wire, goName, rule, value string) {
	v.fields = append(v.fields, FieldError{wire, goName, rule, value})
}

// addf is add for a rule between fields; the rule is a format with args.
func (v *validation) addf(wire, goName, value, rule string, args ...any) {
	v.add(wire, goName, fmt.Sprintf(rule, args...), value)
}

// addRow is addf for a field of row i, from 0, of the details.
func (v *validation) addRow(i int, wire, goName, value, rule string, args ...any) {
	v.addf(fmt.Sprintf("pDetails/pRow[%d]/%s", i+1, wire), fmt.Sprintf("Rows[%d].%s", i, goName), value, rule, args...)
}

// plan is what the tags of a request's or a row's struct say, worked out once.
type plan struct {
	fields []plannedField
	// Where the fields are that every request is asked for; nil for none.
	orderNo, bidNo, returnURL, notifyURL []int
}

// plannedField is a field that the caller fills in.
type plannedField struct {
	*codec.Field
	broken func(value reflect.Value) string // the first rule that the value breaks, "" for none
	shown  func(text string) string         // the value as an error may show it
	url    bool
	rows   *plan // of each row
	most   int   // rows
}

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := new(plan)
	fields := codec.Fields(t)
	for i := range fields {
		f := &fields[i]
		switch f.Name {
		case "pMerBillNo":
			p.orderNo = f.Index
		case "pBidNo":
			p.bidNo = f.Index
		case "pWebUrl":
			p.returnURL = f.Index
		case "pS2SUrl":
			p.notifyURL = f.Index
		}
		rules := parseRules(f.Tag.Get("check"))
		switch {
		case f.IsConst || f.Variant || f.CopyOf != "":
		case f.Row != "":
			p.fields = append(p.fields, plannedField{Field: f, rows: planOf(f.Type.Elem()), most: rules.number("rows")})
		default:
			p.fields = append(p.fields, plannedField{Field: f, broken: rules.compile(f), shown: rules.shown(), url: rules.has("url")})
		}
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
		if broken := f.broken(value); broken != "" {
			wire, goName := in.names(f)
			v.add(wire, goName, broken, f.shown(codec.Text(s, f.Field)))
		}
	}
}

func (f *plannedField) checkRows(v *validation, rows reflect.Value) {
	n := rows.Len()
	if n < 1 || n > f.most {
		v.add(f.Name, f.GoName, fmt.Sprintf("must have 1 to %d rows", f.most), fmt.Sprintf("%d rows", n))
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

func (r rules) has(key string) bool {
	return slices.ContainsFunc(r, func(one rule) bool { return one.key == key })
}

// number is the value of a rule that has a number, 0 where it is missing.
func (r rules) number(key string) int {
	for _, one := range r {
		if one.key == key {
			return one.number
		}
	}
	return 0
}

// shown says how an error may show the field's value.
func (r rules) shown() func(string) string {
	switch {
	case r.has("secret"):
		return personal
	case r.has("url"):
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
func (r rules) compile(f *codec.Field) func(reflect.Value) string {
	switch {
	case f.Type == amountType, f.Type == rateType:
		check := r.compileBounds(100, "999999999.99", int64(MaxAmount))
		return func(v reflect.Value) string { return check(v.Int()) }
	case f.Type == dateType:
		return func(v reflect.Value) string { return brokenDate(*v.Addr().Interface().(*Date)) }
	case f.Type.Kind() == reflect.Int:
		check := r.compileBounds(1, "999999999", 999_999_999)
		return func(v reflect.Value) string { return check(v.Int()) }
	}
	check := r.compileText()
	return func(v reflect.Value) string { return check(cmp.Or(v.String(), f.Default)) }
}

func brokenDate(d Date) string {
	switch {
	case d.IsZero():
		return "must be given"
	case !d.Valid():
		return "must be a day of the calendar"
	}
	return ""
}

// compileBounds makes the check of a number that counts in 1/unit.
func (r rules) compileBounds(unit int64, mostText string, most int64) func(n int64) string {
	type bound struct {
		low, high int64 // both are legal
		broken    string
	}
	var bounds []bound
	for _, one := range r {
		limit := one.hundredths * unit / 100
		b := bound{low: math.MinInt64, high: math.MaxInt64}
		word := ""
		switch one.key {
		case "gt":
			word, b.low = "more than", limit+1
		case "ge":
			word, b.low = "at least", limit
		case "lt":
			word, b.high = "less than", limit-1
		case "le":
			word, b.high = "at most", limit
		default:
			continue
		}
		b.broken = "must be " + word + " " + one.value
		bounds = append(bounds, b)
	}
	bounds = append(bounds,
		bound{0, math.MaxInt64, "must be at least 0"}, // no number on the wire has a sign
		bound{math.MinInt64, most, "must be at most " + mostText})
	return func(n int64) string {
		for i := range bounds {
			if b := &bounds[i]; n < b.low || n > b.high {
				return b.broken
			}
		}
		return ""
	}
}

// compileText makes the check of a text.
func (r rules) compileText() func(text string) string {
	type check struct {
		holds  func(text string, characters int) bool
		broken string
	}
	var checks []check
	add := func(broken string, holds func(string, int) bool) { checks = append(checks, check{holds, broken}) }
	for _, one := range r {
		limit := one.number
		switch one.key {
		case "max":
			add("must have at most "+one.value+" characters", func(_ string, n int) bool { return n <= limit })
		case "len":
			add("must have exactly "+one.value+" characters", func(_ string, n int) bool { return n == limit })
		case "alnum":
			add("must be letters a–z, A–Z and digits only", func(text string, _ int) bool { return alnum(text) })
		case "digits":
			add("must be digits only", func(text string, _ int) bool { return digits(text) })
		case "url":
			add("must be an absolute http or https URL", func(text string, _ int) bool { return absoluteURL(text) })
		case "oneof":
			legal := strings.Fields(one.value)
			add("must be one of "+strings.Join(legal, ", "), func(text string, _ int) bool { return slices.Contains(legal, text) })
		}
	}
	empty := "must not be empty"
	if r.has("optional") {
		empty = ""
	}
	return func(text string) string {
		if text == "" {
			return empty
		}
		characters, broken := countCharacters(text)
		if broken != "" {
			return broken
		}
		for i := range checks {
			if !checks[i].holds(text, characters) {
				return checks[i].broken
			}
		}
		return ""
	}
}

// countCharacters counts the characters of a text that the wire can carry, and
// says what is wrong with another.
func countCharacters(text string) (n int, broken string) {
	if n, ok := legalCharacters(text); ok {
		return n, ""
	}
	if !utf8.ValidString(text) {
		return 0, "must be UTF-8"
	}
	if r, bad := badCharacter(text); bad {
		return 0, fmt.Sprintf("must not hold the control character %U", r)
	}
	if strings.TrimSpace(text) == "" {
		return 0, "must not be blank"
	}
	return utf8.RuneCountInString(text), ""
}

// legalCharacters counts the characters of a text in one go; ok is false where
// it needs a closer look.
func legalCharacters(text string) (n int, ok bool) {
	for _, r := range text {
		switch {
		case r > ' ' && r <= '~':
			ok = true
		case r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF || unicode.IsControl(r):
			return 0, false
		case !ok:
			ok = !unicode.IsSpace(r)
		}
		n++
	}
	return n, ok
}

func badCharacter(s string) (rune, bool) {
	for _, r := range s {
		if unicode.IsControl(r) {
			return r, true
		}
	}
	return codec.BadRune(s)
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

func alnum(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func absoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}
