package main

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips"
)

// A page is a list of parts, which Go code puts together and one template writes.

// Part is a part of a page; what is empty is left out.
type Part struct {
	Heading, Class, Text string
	Facts                []Fact
	Filters              [][]Choice // of the table
	Count                string
	Head                 []string
	Titles               []Cell // viewOf's
	Rows                 [][]Cell
	Forms                []Form
	Links                []Link
	Hint                 string
}

// Fact is a value with its name.
type Fact struct{ Name, Value string }

// Link leads to another page.
type Link struct{ Text, Path string }

// Choice is a way to see a list; one without a path is the name of those behind it.
type Choice struct {
	Text, Path string
	Taken      bool
}

// Cell is a cell of a table.
type Cell struct {
	Text, Path string
	Number     bool
	Forms      []Form
}

// Form is a form with one button. The second line is viewOf's.
type Form struct {
	Action, Button, Ask         string // Ask is what is asked before the button can be pressed
	Token, Click, From, Mistake string
	Hidden                      []Fact
	Fields                      []Field
}

// Field is something to fill in.
type Field struct {
	Label, Name, Value, Type, Mode string
	Max                            int
	Free                           bool   // may stay empty
	Options                        []Fact // of a choice: value and text
}

func money(label, name, value string) Field {
	return Field{Label: label, Name: name, Value: value, Mode: "decimal", Max: 20}
}
func count(label, name, value string) Field {
	return Field{Label: label, Name: name, Value: value, Mode: "numeric", Max: 2}
}

func text(s string) Cell                              { return Cell{Text: s} }
func linked(s, path string) Cell                      { return Cell{Text: s, Path: path} }
func number[N interface{ String() string }](n N) Cell { return Cell{Text: n.String(), Number: true} }

// wrong is a form that was refused: it is shown again, with what was typed.
type wrong struct {
	action, text string
	status       int
	typed        url.Values
	shown        bool
}

func (w *wrong) of(f Form) bool {
	if w == nil || w.shown || w.action != f.Action {
		return false
	}
	for _, h := range f.Hidden {
		if w.typed.Get(h.Name) != h.Value {
			return false
		}
	}
	return true
}

var (
	longAmount = regexp.MustCompile(`\d{4,}\.\d{2}\b`)
	grouped    = regexp.MustCompile(`^\d{1,3}([,，]\d{3})+(\.\d*)?$`)
)

// amounts writes the amounts in a text as people do, 1,000.00.
func amounts(s string) string {
	return longAmount.ReplaceAllStringFunc(s, func(n string) string {
		for i := len(n) - 6; i > 0; i -= 3 {
			n = n[:i] + "," + n[i:]
		}
		return n
	})
}

// ungrouped takes the separators out of an amount that somebody has typed.
func ungrouped(s string) string {
	if s = strings.TrimSpace(s); grouped.MatchString(s) {
		s = strings.NewReplacer(",", "", "，", "").Replace(s)
	}
	return s
}

// view is what the template gets.
type view struct {
	Title  string
	Path   string
	Nav    []Link
	Logout []Form
	Parts  []Part
	Inbox  string
}

// viewOf adds what every page has. Each form gets a click of its own, so that it
// counts once however often it is sent.
func (a *App) viewOf(v *visit, title string, parts []Part) view {
	nav := []Link{{"业务场景", "/chapters"}}
	var logout []Form
	switch {
	case v.user.ID == "":
		nav = append(nav, Link{"登录", "/login"}, Link{"注册", "/register"})
	case v.admin():
		nav = append(nav, Link{"平台管理", "/admin"}, Link{"全部订单", "/admin/orders"}, Link{"账目核对", "/admin/books"}, Link{"待人工处理", "/admin/contradictions"}, Link{"订单簿", "/admin/book/"})
	default:
		nav = append(nav, Link{"我的账户", "/account"}, Link{"充值与提现", "/funds"}, Link{"我要借款", "/borrow"}, Link{"我的债权", "/claims"}, Link{"转让市场", "/market"}, Link{"自动投标与还款", "/contracts"}, Link{"我的订单", "/orders"})
	}
	if v.user.ID != "" {
		logout = []Form{{Action: "/logout", Button: "退出 " + v.user.Login}}
	}
	sign := func(forms []Form) {
		for i := range forms {
			f := &forms[i]
			f.Token, f.Click, f.From = v.token, newID(), v.from
			if !v.wrong.of(*f) {
				continue
			}
			v.wrong.shown, f.Mistake = true, v.wrong.text
			for j := range f.Fields {
				if f.Fields[j].Type != "password" {
					f.Fields[j].Value = v.wrong.typed.Get(f.Fields[j].Name)
				}
			}
		}
	}
	sign(logout)
	for i, p := range parts {
		sign(p.Forms)
		for j, name := range p.Head {
			parts[i].Titles = append(parts[i].Titles, Cell{Text: name, Number: p.Rows != nil && p.Rows[0][j].Number})
		}
		for _, row := range p.Rows {
			for _, cell := range row {
				sign(cell.Forms)
			}
		}
	}
	// What has nothing but a heading is left out.
	parts = slices.DeleteFunc(parts, func(p Part) bool {
		return p.Text == "" && p.Facts == nil && p.Rows == nil && p.Forms == nil && p.Hint == "" && (p.Links == nil || p.Head != nil)
	})
	if v.wrong != nil && !v.wrong.shown {
		parts = slices.Concat([]Part{{Class: "problem", Text: v.wrong.text}}, parts)
	}
	path, _, _ := strings.Cut(v.from, "?")
	return view{Title: title, Path: path, Nav: nav, Logout: logout, Parts: parts, Inbox: a.inbox}
}

// dayOf writes a yyyyMMdd.
func dayOf(s string) string {
	if len(s) != 8 {
		return "长期有效"
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:]
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(ips.China).Format("2006-01-02 15:04:05")
}

// tail is enough to recognise an account by.
func tail(s string) string {
	if len(s) <= 4 {
		return s
	}
	return "尾号 " + s[len(s)-4:]
}

func operationName(op ips.Operation) string {
	info, _ := op.Info()
	return info.Chinese
}
