package pages

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// ConfirmPath is the path of the page on which a person confirms what id asks.
// It cannot be guessed, and who knows it can open the page.
func (p *Pages) ConfirmPath(id string) string {
	return confirmPrefix + url.PathEscape(p.link(id))
}

// bankStep follows the link of a page in the path of the bank's page.
const bankStep = "/bank"

// serveConfirm shows what is to be confirmed and takes the answer. Once it is
// answered the page sends the browser back to the merchant, however often it
// is shown or sent again.
func (p *Pages) serveConfirm(w http.ResponseWriter, r *http.Request, rest string) {
	link, atBank := strings.CutSuffix(rest, bankStep)
	id, ok := p.follow(link)
	ask, known := p.platform.Engine().Ask(id)
	if !ok || !known || atBank && ask.Page != engine.PageBank {
		p.Failure(w, http.StatusNotFound, Failure{Text: "链接无效：没有这笔待确认的业务"})
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if ask.Open {
			p.askView(ask, atBank, problems{})(w)
			return
		}
		// A closed page gives its first outcome again and changes nothing.
		p.carryOut(r, ask, engine.Command{Kind: engine.KindConfirm, ID: id})(w)
	case http.MethodPost:
		values, status := formValues(r)
		if status != http.StatusOK {
			op, _ := wire.PageOperation(ask.Op + ".aspx")
			p.failureView(status, Failure{Op: op, Text: FormProblem(status)})(w)
			return
		}
		p.takeForm(r, id, atBank, values)(w)
	default:
		p.refuseMethod(w, "GET, HEAD, POST")
	}
}

// view writes a page. What a page shows is decided under a lock, but nobody
// waits for a slow reader.
type view func(w http.ResponseWriter)

func (p *Pages) failureView(status int, f Failure) view {
	return func(w http.ResponseWriter) { p.Failure(w, status, f) }
}

func (p *Pages) refuseMethod(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	p.Failure(w, http.StatusMethodNotAllowed, Failure{Text: "请求方式不正确"})
}

// formValues reads a form of ours, in which every field comes once.
func formValues(r *http.Request) (map[string]string, int) {
	form, status := wire.ReadForm(r)
	values := make(map[string]string, len(form))
	for _, f := range form {
		if !utf8.ValidString(f.Name) || !utf8.ValidString(f.Value) {
			return nil, http.StatusBadRequest // our pages are in UTF-8, so are their forms
		}
		values[f.Name] = f.Value
	}
	return values, status
}

// takeForm acts on the form of a confirmation.
func (p *Pages) takeForm(r *http.Request, id string, atBank bool, values map[string]string) view {
	p.answering.Lock()
	defer p.answering.Unlock()
	ask, _ := p.platform.Engine().Ask(id)
	// The form tells how many tries were left when its page was shown, so that
	// one that is sent twice does not count as two wrong passwords.
	latest := values["tries"] == "" || values["tries"] == strconv.Itoa(ask.TriesLeft)
	switch values["do"] {
	case "cancel":
		return p.carryOut(r, ask, engine.Command{Kind: engine.KindCancel, ID: id})
	case "confirm":
		return p.takeYes(r, ask, atBank, latest, values)
	}
	if !ask.Open {
		return p.carryOut(r, ask, engine.Command{Kind: engine.KindConfirm, ID: id})
	}
	return p.askView(ask, atBank, problems{text: "请点击确认或取消"})
}

// takeYes acts on a form with which a person confirms. The engine gets what the
// page asked for and nothing else.
func (p *Pages) takeYes(r *http.Request, ask engine.AskInfo, atBank, latest bool, values map[string]string) view {
	input := make(map[string]string)
	switch {
	case !ask.Open: // its first outcome is all that there is
	case ask.Page == engine.PageAccount:
		typed, wrong := readOpening(values)
		if len(wrong) > 0 {
			return p.askView(ask, false, problems{text: "请更正下列内容，并重新输入密码", fields: wrong, typed: typed})
		}
		input = typed
	case ask.Page == engine.PageBank:
		if values["result"] == "" && !atBank {
			return func(w http.ResponseWriter) {
				http.Redirect(w, r, p.ConfirmPath(ask.ID)+bankStep, http.StatusSeeOther)
			}
		}
		input["result"] = values["result"]
	case values["password"] == "":
		// Forgetting it is no attempt at guessing it (our choice).
		return p.askView(ask, false, problems{fields: map[string]string{"password": "请输入交易密码"}})
	case !latest:
		return p.askView(ask, false, problems{text: "该页面已提交过，本次提交未作处理，请重新输入交易密码"})
	default:
		input["password"] = values["password"]
	}
	return p.carryOut(r, ask, engine.Command{Kind: engine.KindConfirm, ID: ask.ID, Input: input})
}

// carryOut does what a person has decided and shows where that led.
func (p *Pages) carryOut(r *http.Request, ask engine.AskInfo, cmd engine.Command) view {
	op, _ := wire.PageOperation(ask.Op + ".aspx")
	out, err := p.platform.Do(r.Context(), cmd)
	if err != nil {
		p.log.Error("confirm", "op", ask.Op, "merchant", ask.Merchant, "order", ask.Order, "err", err)
		return p.failureView(http.StatusServiceUnavailable, Failure{Op: op, Code: codeSystem, Text: "系统异常"})
	}
	if out.Ask != "" {
		if now, ok := p.platform.Engine().Ask(ask.ID); ok {
			ask = now // one try less
		}
		if ask.Page == engine.PagePassword {
			return p.askView(ask, false, problems{fields: map[string]string{"password": out.Problem}})
		}
		return p.askView(ask, ask.Page == engine.PageBank, problems{text: out.Problem})
	}
	if r.Method == http.MethodPost {
		// The result has an address of its own, so that who comes back to it or
		// reloads it is not asked to send his form again.
		return func(w http.ResponseWriter) { http.Redirect(w, r, p.ConfirmPath(ask.ID), http.StatusSeeOther) }
	}
	back := Return{Op: op, Order: ask.Order, Answered: true, Cancelled: ask.Cancelled, Receipt: p.receipt(ask, out.Answer.Code)}
	if engine.IsHTTPURL(out.ReturnURL) {
		back.URL = out.ReturnURL
	}
	if back.Answer, err = p.platform.Return(r.RemoteAddr, ask, out.Answer); err != nil {
		return p.failureView(http.StatusInternalServerError, Failure{Op: op, Code: codeSystem, Text: "系统异常"})
	}
	return func(w http.ResponseWriter) { p.Back(w, back) }
}

// receipt is what a person may want to keep of what he has done.
func (p *Pages) receipt(ask engine.AskInfo, code string) []line {
	info, _ := p.platform.Engine().Order(ask.Merchant, ask.Op, ask.Order, false)
	op, _ := wire.PageOperation(ask.Op + ".aspx")
	kind, _ := outcomeOf(code)
	sum := wordsOf(op).sum
	ended := map[string]string{kindDone: "完成时间", kindPending: "受理时间", kindFailed: "结束时间"}[kind]
	lines := []line{{Label: "商户", Value: ask.MerchantName + "（" + ask.Merchant + "）"}}
	until, _ := time.ParseInLocation("20060102", info.Answer.Body.Get("pValidDate"), engine.China)
	for _, l := range []line{
		{Label: "托管账户", Value: info.Account},
		{Label: "IPS 订单号", Value: info.IPSBillNo},
		{Label: ended, Value: wire.ClockText(ask.ClosedAt)},
		{Label: "最后有效日", Value: strings.TrimSuffix(wire.ClockText(until), " 00:00:00")},
	} {
		if l.Value != "" {
			lines = append(lines, l)
		}
	}
	moved := sum != ""
	if moved && kind == kindFailed {
		ask.Lines = ask.Lines[:min(1, len(ask.Lines))] // what was asked for: nothing came of the rest
	}
	for _, l := range ask.Lines {
		lines = append(lines, line{l.Label, l.Value, l.Money, l.Label == sum && kind != kindFailed})
	}
	if moved && kind == kindFailed {
		lines = append(lines, line{Label: "资金", Value: "未扣款，没有变动"})
	}
	return lines
}

// problems are what was wrong with the last try, and what was typed then, to
// be typed no second time.
type problems struct {
	text   string
	fields map[string]string
	typed  map[string]string
}

// confirmPage asks a person to confirm something.
type confirmPage struct {
	Title  string // of the page, and its heading
	Intro  string
	Error  string // what was wrong with the last try
	Wrong  []wrongField
	Lines  []line
	Payees []engine.Payee
	Groups []inputGroup
	Yes    string // the button
	Hint   string

	Bank, Amount, BackTo string // on the bank's page

	Steps []string // of which this is the first

	Action   string
	Tries    int
	Deadline time.Time
	Left     time.Duration
	Script   template.JS
}

// line is one fact. Money is set apart, and the sum that is asked for stands out.
type line struct {
	Label, Value string
	Money, Sum   bool
}

// inputGroup is a group of fields under one legend.
type inputGroup struct {
	Legend, Note string
	Fields       []inputField
}

// inputField is a field to be filled in; with options it is a choice.
type inputField struct {
	Name, Label, Type, Value string
	Autocomplete, InputMode  string
	Hint, Error              string
	Focus                    bool
	Options                  []string
}

// DescribedBy lists the elements that say more about the field.
func (f inputField) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Name+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.Name+"-error")
	}
	return strings.Join(ids, " ")
}

// wrongField leads from the top of the page to a field.
type wrongField struct{ Name, Text string }

// askView shows an open confirmation, or the bank's page of one.
func (p *Pages) askView(ask engine.AskInfo, atBank bool, last problems) view {
	op, _ := wire.PageOperation(ask.Op + ".aspx")
	words := wordsOf(op)
	page := confirmPage{
		Title:    words.noun + "确认",
		Intro:    words.intro,
		Error:    last.text,
		Lines:    p.facts(ask, words),
		Payees:   ask.Payees,
		Groups:   inputGroups(ask, last),
		Yes:      words.yes,
		Action:   p.ConfirmPath(ask.ID),
		Tries:    ask.TriesLeft,
		Deadline: ask.Deadline,
		Left:     ask.Deadline.Sub(p.platform.Now()),
	}
	page.Wrong = focusFirst(page.Groups)
	if ask.Op == "registerGuarantor" && factOf(ask, "冻结保证金") == "0.00" {
		page.Intro = "确认后，您为该标的提供担保，不冻结保证金。"
	}
	switch {
	case atBank:
		page.BackTo, page.Action = page.Action, page.Action+bankStep
		page.Bank, page.Amount = factOf(ask, "充值银行"), factOf(ask, "充值金额")
		page.Title = page.Bank + "网上支付"
		return func(w http.ResponseWriter) { p.showAsking(w, "bank", page) }
	case ask.Page == engine.PageBank:
		page.Yes = "前往银行付款"
		page.Intro = "确认后将进入银行页面付款，付款成功后金额充入您的托管账户。"
	case ask.Page == engine.PageAccount:
		page.Steps = []string{"确认开户、设置银行账户", "开户成功"}
	case ask.AutoPassword:
		page.Hint = "该账户用的是默认交易密码" + engine.AutoPassword + "。"
	}
	return func(w http.ResponseWriter) { p.showAsking(w, "confirm", page) }
}

// showAsking shows a page that counts the time that is left.
func (p *Pages) showAsking(w http.ResponseWriter, name string, page confirmPage) {
	page.Script = leftScript
	p.showUnder(w, http.StatusOK, policy("'self'", leftScript), name, page)
}

// focusFirst sends the keyboard to the first field that is wrong and lists them all.
func focusFirst(groups []inputGroup) []wrongField {
	var list []wrongField
	for i := range groups {
		for j := range groups[i].Fields {
			f := &groups[i].Fields[j]
			if f.Error == "" {
				continue
			}
			f.Focus = len(list) == 0
			list = append(list, wrongField{f.Name, f.Error})
		}
	}
	return list
}

// facts are what is confirmed: who and what first, then the amounts.
func (p *Pages) facts(ask engine.AskInfo, words pageWords) []line {
	lines := []line{
		{Label: "商户", Value: ask.MerchantName + "（" + ask.Merchant + "）"},
		{Label: "订单号", Value: ask.Order},
	}
	for _, money := range []bool{false, true} {
		for _, l := range ask.Lines {
			if l.Money == money {
				lines = append(lines, line{l.Label, l.Value, l.Money, l.Label == words.sum})
			}
		}
	}
	if b, ok := p.platform.Engine().Balance(ask.Merchant, ask.Account); ok && words.sum != "" {
		lines = append(lines, line{Label: "可用余额", Value: wire.Yuan(b.Available), Money: true})
	}
	return lines
}

func factOf(ask engine.AskInfo, label string) string {
	for _, l := range ask.Lines {
		if l.Label == label {
			return l.Value
		}
	}
	return ""
}

// inputGroups are the fields of a kind of page.
func inputGroups(ask engine.AskInfo, p problems) []inputGroup {
	switch ask.Page {
	case engine.PageAccount:
		return openingGroups(p)
	case engine.PageBank:
		return nil // buttons say it all
	}
	password := inputField{
		Name: "password", Label: "交易密码", Type: "password", Autocomplete: "current-password",
		Hint:  fmt.Sprintf("还可以输入%d次，次数用尽本次操作即告失败。", ask.TriesLeft),
		Error: p.fields["password"],
	}
	return []inputGroup{{Fields: []inputField{password}}}
}

// pageWords are the words for an operation on pages.
type pageWords struct {
	noun  string // what it is, to a person
	yes   string // the button
	intro string // what happens after it
	sum   string // label of the amount that matters most
	done  string // what has happened when it was done
}

// operationWords are those of the operations that have a page.
var operationWords = map[string]pageWords{
	"CreateNewIpsAcct":   {"开户", "确认开户", "请核对身份信息，设置密码和银行账户，开通资金托管账户。", "", "您的资金托管账户已开通。"},
	"registerCreditor":   {"投标", "确认投标", "确认后，下列资金将在您的托管账户内冻结，待放款时划转给借款人。", "冻结金额", "资金已冻结，待放款时划转给借款人。"},
	"registerGuarantor":  {"担保", "确认担保", "确认后，您为该标的提供担保，保证金在您的账户内冻结。", "冻结保证金", "担保已登记。"},
	"registerCretansfer": {"债权转让", "确认受让", "请核对您受让的金额及份额。确认后，下列资金将在您的托管账户内冻结，待转账时支付给出让方。", "冻结金额", "资金已冻结，待转账时支付给出让方。"},
	"AutoNewSigning":     {"自动投标签约", "同意授权", "授权后，商户可在下列规则范围内代您投标，投标时不再逐笔确认。", "", "授权已生效。"},
	"RepaymentSigning":   {"自动还款签约", "同意授权", "授权后，商户可代您为各标的还款，还款时不再逐笔确认。", "", "授权已生效。"},
	"doDpTrade":          {"充值", "确认充值", "确认后，从您签约的银行卡代扣下列金额，充入您的托管账户。", "充值金额", "资金已充入您的托管账户。"},
	"RepaymentNewTrade":  {"还款", "确认还款", "确认后，下列资金从您的托管账户支付给各收款人。", "合计", "资金已支付给各收款人。"},
	"repaymentTrade":     {"老版还款", "确认还款", "确认后，下列资金从您的托管账户支付给老标的的各投资人。", "合计", "资金已支付给各投资人。"},
	"doDwTrade":          {"提现", "确认提现", "确认后，下列资金从您的托管账户转入您的银行卡，手续费另计。", "扣款合计", "资金已转往您的银行卡。"},
}

func wordsOf(op wire.Operation) pageWords {
	words, ok := operationWords[op.Name]
	if !ok {
		return pageWords{noun: op.Title, yes: "确认"}
	}
	return words
}

// FormProblem says what is wrong with a form by the status of reading it.
func FormProblem(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "提交的内容过大"
	case http.StatusUnsupportedMediaType:
		return "提交的内容类型不正确，应为application/x-www-form-urlencoded或multipart/form-data"
	default:
		return "提交的表单格式不正确"
	}
}
