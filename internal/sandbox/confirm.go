package sandbox

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// Confirm says yes to what an operation asks, as the person on the page would.
// What a page wants in input is with its kind: [engine.PagePassword],
// [engine.PageAccount], [engine.PageBank].
func (s *Sandbox) Confirm(id string, input map[string]string) error {
	out, err := s.apply(engine.Command{Kind: engine.KindConfirm, ID: id, Input: input})
	if err == nil && out.Ask != "" {
		err = fmt.Errorf("sandbox: confirm %s: %s", id, out.Problem)
	}
	return err
}

// Cancel says no to what an operation asks.
func (s *Sandbox) Cancel(id string) error {
	_, err := s.apply(engine.Command{Kind: engine.KindCancel, ID: id})
	return err
}

// serveConfirm shows what is to be confirmed and takes the answer. Once it is
// answered the page sends the browser back to the merchant, however often it
// is shown or sent again.
func (s *Sandbox) serveConfirm(w http.ResponseWriter, r *http.Request, id string) {
	ask, ok := s.engine.Ask(id)
	if !ok {
		s.pages.failure(w, http.StatusNotFound, failure{Text: "没有这笔待确认的业务"})
		return
	}
	op, _ := pageOperation(ask.Op + ".aspx")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if ask.Open {
			s.pages.confirm(w, s.confirmPage(ask, ""))
			return
		}
		// A closed page gives its first outcome again and changes nothing.
		s.showDecision(w, r, ask, engine.Command{Kind: engine.KindConfirm, ID: id})
	case http.MethodPost:
		form, status := readForm(r)
		if status != http.StatusOK {
			s.pages.failure(w, status, failure{Op: op, Text: formTrouble(status)})
			return
		}
		values := make(map[string]string, len(form))
		for _, f := range form {
			values[f.Name] = f.Value
		}
		if !s.pages.validToken(id, values["token"]) {
			s.pages.failure(w, http.StatusForbidden, failure{Op: op, Text: "页面已失效，请返回商户网站重新提交"})
			return
		}
		s.showDecision(w, r, ask, decision(ask, values))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		s.pages.failure(w, http.StatusMethodNotAllowed, failure{Op: op, Text: "请求方式不正确"})
	}
}

// decision turns a form into a command that carries what the page asked for
// and nothing else.
func decision(ask engine.AskInfo, values map[string]string) engine.Command {
	if values["do"] == "cancel" {
		return engine.Command{Kind: engine.KindCancel, ID: ask.ID}
	}
	cmd := engine.Command{Kind: engine.KindConfirm, ID: ask.ID, Input: make(map[string]string)}
	for _, in := range inputs(ask.Page) {
		cmd.Input[in.Name] = values[in.Name]
	}
	return cmd
}

func (s *Sandbox) showDecision(w http.ResponseWriter, r *http.Request, ask engine.AskInfo, cmd engine.Command) {
	op, _ := pageOperation(ask.Op + ".aspx")
	out, err := s.apply(cmd)
	if err != nil {
		s.log.Error("confirm", "op", ask.Op, "merchant", ask.Merchant, "order", ask.Order, "err", err)
		s.pages.failure(w, http.StatusServiceUnavailable, failure{Op: op, Code: codeSystem, Text: "系统异常"})
		return
	}
	if out.Ask != "" {
		s.pages.confirm(w, s.confirmPage(ask, out.Problem))
		return
	}
	m := s.merchants[ask.Merchant]
	res := result{op: op, order: ask.Order}
	if absoluteURL(out.ReturnURL) {
		res.returnURL = out.ReturnURL
	}
	if res.answer, err = m.seal(out.Answer); err != nil {
		s.pages.failure(w, http.StatusInternalServerError, failure{Op: op, Code: codeSystem, Text: "系统异常"})
		return
	}
	s.recordAnswer(ViaReturn, r.RemoteAddr, res, true)
	s.showResult(w, res)
}

func (s *Sandbox) confirmPage(ask engine.AskInfo, problem string) confirmPage {
	op, _ := pageOperation(ask.Op + ".aspx")
	page := confirmPage{
		Title:  op.title + "确认",
		Error:  problem,
		Lines:  []line{{"商户", ask.MerchantName}, {"订单号", ask.Order}},
		Inputs: inputs(ask.Page),
		Action: confirmPrefix + url.PathEscape(ask.ID),
		Token:  s.pages.token(ask.ID),
	}
	for _, l := range ask.Lines {
		value := l.Value
		if l.Money {
			value += " 元"
		}
		page.Lines = append(page.Lines, line{l.Label, value})
	}
	return page
}

// inputs are the fields of a kind of page.
func inputs(page string) []input {
	switch page {
	case engine.PageAccount:
		return []input{
			{Name: "loginPassword", Label: "登录密码", Type: "password"},
			{Name: "tradePassword", Label: "交易密码", Type: "password"},
			{Name: "question", Label: "密码保护问题", Type: "text"},
			{Name: "answer", Label: "密码保护答案", Type: "text"},
			{Name: "bank", Label: "开户银行", Type: "text"},
			{Name: "card", Label: "银行卡号", Type: "text"},
		}
	case engine.PageBank:
		return []input{{Name: "result", Label: "支付结果", Options: []option{
			{"paid", "支付成功"}, {"failed", "支付失败"},
		}}}
	default:
		return []input{{Name: "password", Label: "交易密码", Type: "password"}}
	}
}
