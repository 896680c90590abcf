package sandbox

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// smsPath is where the texts to people's mobiles are read and answered.
const smsPath = "/sms"

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
	Left  time.Duration
	Token string
	Fate  string // what became of it
}

// serveSMS is the inbox of every mobile at once: rest is what follows smsPath
// and its slash.
func (s *Sandbox) serveSMS(w http.ResponseWriter, r *http.Request, rest string) {
	switch {
	case !hostAllowed(r.Host, s.hosts):
		s.pages.failure(w, http.StatusMisdirectedRequest, failure{Text: "请用localhost或IP地址访问短信收件箱"})
	case rest == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.pages.show(w, http.StatusOK, "phones", phones(s.engine.Inbox(""), s.Now()))
	case rest == "":
		s.refuseMethod(w, "GET, HEAD")
	case !mobileForm.MatchString(rest):
		s.pages.failure(w, http.StatusNotFound, failure{Text: "手机号格式不正确"})
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.showInbox(w, rest)
	case r.Method == http.MethodPost:
		s.takeReply(w, r, rest)
	default:
		s.refuseMethod(w, "GET, HEAD, POST")
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
			list = append(list, phone{Number: m.Mobile, Masked: maskMobile(m.Mobile)})
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

// maskMobile leaves enough of a mobile to know it again.
func maskMobile(s string) string {
	if len(s) != 11 {
		return strings.Repeat("*", len(s))
	}
	return s[:3] + "****" + s[7:]
}

func (s *Sandbox) showInbox(w http.ResponseWriter, mobile string) {
	page := struct {
		Mobile, Path  string
		Open, Settled []shownText
	}{Mobile: maskMobile(mobile), Path: smsPath + "/" + mobile}
	now, inbox := s.Now(), s.engine.Inbox(mobile)
	slices.Reverse(inbox) // the latest first
	for _, m := range inbox {
		switch {
		case waits(m, now) && len(page.Open) < shownTexts:
			page.Open = append(page.Open, shownText{SMS: m, Left: m.Deadline.Sub(now), Token: s.pages.sign("sms", m.ID)})
		case !waits(m, now) && len(page.Settled) < shownTexts:
			page.Settled = append(page.Settled, shownText{SMS: m, Fate: fate(m)})
		}
	}
	s.pages.show(w, http.StatusOK, "inbox", page)
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
func (s *Sandbox) takeReply(w http.ResponseWriter, r *http.Request, mobile string) {
	values, status := formValues(r)
	if status != http.StatusOK {
		s.pages.failure(w, status, failure{Text: formTrouble(status)})
		return
	}
	id, reply := values["id"], values["reply"]
	known := slices.ContainsFunc(s.engine.Inbox(mobile), func(m engine.SMS) bool { return m.ID == id })
	switch {
	case !s.pages.signed("sms", id, values["token"]):
		s.pages.failure(w, http.StatusForbidden, failure{Text: "页面已失效，请刷新短信页面后重试"})
		return
	case !known:
		s.pages.failure(w, http.StatusNotFound, failure{Text: "没有这条短信"})
		return
	case reply != "yes" && reply != "no":
		s.pages.failure(w, http.StatusBadRequest, failure{Text: "请回复同意或拒绝"})
		return
	}
	if err := s.ReplySMS(id, reply == "yes"); err != nil {
		s.log.Error("sms", "id", id, "err", err)
		s.pages.failure(w, http.StatusServiceUnavailable, failure{Code: codeSystem, Text: "系统异常"})
		return
	}
	http.Redirect(w, r, smsPath+"/"+mobile, http.StatusSeeOther)
}
