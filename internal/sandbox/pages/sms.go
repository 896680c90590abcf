package pages

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// shownTexts bounds how many texts of one kind a page shows, the newest.
const shownTexts = 100

var mobileForm = regexp.MustCompile(`^1[0-9]{10}$`)

// phone is a mobile with texts on it.
type phone struct {
	Number, Masked string
	Open, All      int
	last           time.Time
}

// shownText is a text message on a page.
type shownText struct {
	engine.SMS
	Left time.Duration
	Fate string // what became of it
}

// serveSMS is the inbox of every mobile at once: rest is what follows SMSPath
// and its slash.
func (p *Pages) serveSMS(w http.ResponseWriter, r *http.Request, rest string) {
	switch {
	case !p.platform.Local(r.Host):
		p.Failure(w, http.StatusMisdirectedRequest, Failure{Text: "请用localhost、IP地址或沙箱设置里登记的主机名访问短信收件箱"})
	case rest == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		p.show(w, http.StatusOK, "phones", phones(p.platform.Inbox(""), p.platform.Now()))
	case rest == "":
		p.refuseMethod(w, "GET, HEAD")
	case !mobileForm.MatchString(rest):
		p.Failure(w, http.StatusNotFound, Failure{Text: "手机号格式不正确"})
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		p.showInbox(w, rest)
	case r.Method == http.MethodPost:
		p.takeReply(w, r, rest)
	default:
		p.refuseMethod(w, "GET, HEAD, POST")
	}
}

// phones lists the mobiles that were ever texted, those that wait for an
// answer first, and the latest texted first among them.
func phones(inbox []engine.SMS, now time.Time) []phone {
	index := make(map[string]int)
	var list []phone
	for _, m := range inbox {
		i, ok := index[m.Mobile]
		if !ok {
			i = len(list)
			index[m.Mobile] = i
			list = append(list, phone{Number: m.Mobile, Masked: engine.MaskMiddle(m.Mobile)})
		}
		list[i].All++
		list[i].last = m.At
		if waits(m, now) {
			list[i].Open++
		}
	}
	slices.SortStableFunc(list, func(a, b phone) int {
		return cmp.Or(cmp.Compare(min(b.Open, 1), min(a.Open, 1)), b.last.Compare(a.last))
	})
	return list
}

// waits says whether a text can still be answered: its time may be up before
// anybody has told the engine.
func waits(m engine.SMS, now time.Time) bool {
	return m.State == engine.SMSOpen && m.Deadline.After(now)
}

func (p *Pages) showInbox(w http.ResponseWriter, mobile string) {
	page := struct {
		Mobile, Path  string
		Open, Settled []shownText
	}{Mobile: engine.MaskMiddle(mobile), Path: SMSPath + "/" + mobile}
	now, inbox := p.platform.Now(), p.platform.Inbox(mobile)
	slices.Reverse(inbox) // the latest first
	for _, m := range inbox {
		switch {
		case waits(m, now) && len(page.Open) < shownTexts:
			page.Open = append(page.Open, shownText{SMS: m, Left: m.Deadline.Sub(now)})
		case !waits(m, now) && len(page.Settled) < shownTexts:
			page.Settled = append(page.Settled, shownText{SMS: m, Fate: fate(m)})
		}
	}
	p.show(w, http.StatusOK, "inbox", page)
}

func fate(m engine.SMS) string {
	switch m.State {
	case engine.SMSYes:
		return "已同意"
	case engine.SMSNo:
		return "已拒绝"
	}
	return "已过期，未回复"
}

// takeReply answers a text and shows the inbox again. Only the first answer
// counts, and the inbox says which one it was.
func (p *Pages) takeReply(w http.ResponseWriter, r *http.Request, mobile string) {
	values, status := formValues(r)
	if status != http.StatusOK {
		p.Failure(w, status, Failure{Text: FormProblem(status)})
		return
	}
	id, reply := values["id"], values["reply"]
	known := slices.ContainsFunc(p.platform.Inbox(mobile), func(m engine.SMS) bool { return m.ID == id })
	switch {
	case !known:
		p.Failure(w, http.StatusNotFound, Failure{Text: "没有这条短信"})
		return
	case reply != "yes" && reply != "no":
		p.Failure(w, http.StatusBadRequest, Failure{Text: "请回复同意或拒绝"})
		return
	}
	if _, err := p.platform.Do(r.Context(), engine.Command{Kind: engine.KindSMS, ID: id, Yes: reply == "yes"}); err != nil {
		p.log.Error("sms", "id", id, "err", err)
		p.Failure(w, http.StatusServiceUnavailable, Failure{Code: codeSystem, Text: "系统异常"})
		return
	}
	http.Redirect(w, r, SMSPath+"/"+mobile, http.StatusSeeOther)
}
