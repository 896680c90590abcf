package pages

import (
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// textsPerPage is how many texts a page of the inbox shows.
const textsPerPage = 30

var mobileForm = regexp.MustCompile(`^1[0-9]{10}$`)

// shownText is a text message on a page.
type shownText struct {
	engine.SMS
	Masked string // the mobile
	Left   time.Duration
	Fate   string // what became of it, "" while it waits
	Site   string // of the merchant, "" if there is none
}

// inboxPage is the inbox of one mobile, or of all at once.
type inboxPage struct {
	Title, Path, Find string
	One               bool
	Now               time.Time
	Version           uint64
	Texts             []shownText
	Waiting, Total    int
	Newer, Older      string // addresses
	Script            template.JS
}

// serveSMS is the inbox of every mobile: rest is what follows SMSPath and its
// slash.
func (p *Pages) serveSMS(w http.ResponseWriter, r *http.Request, rest string) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !p.platform.Local(r.Host):
		p.Failure(w, http.StatusMisdirectedRequest, Failure{Text: "请用localhost、IP地址或沙箱设置里登记的主机名访问短信收件箱"})
	case rest != "" && !mobileForm.MatchString(rest):
		p.Failure(w, http.StatusNotFound, Failure{Text: "手机号格式不正确"})
	case reads:
		p.showInbox(w, r, rest)
	case rest == "":
		p.refuseMethod(w, "GET, HEAD")
	case r.Method == http.MethodPost:
		p.takeReply(w, r, rest)
	default:
		p.refuseMethod(w, "GET, HEAD, POST")
	}
}

// showInbox shows the texts to a mobile, or to all of them: those that wait for
// an answer first, and the newest first.
func (p *Pages) showInbox(w http.ResponseWriter, r *http.Request, mobile string) {
	find := strings.TrimSpace(r.URL.Query().Get("q"))
	page := inboxPage{Title: "短信收件箱", Path: SMSPath, Find: find, Version: p.platform.Version(), Now: p.platform.Now()}
	if mobile != "" {
		page.Title, page.Path, page.One = engine.MaskMiddle(mobile)+"的短信", SMSPath+"/"+mobile, true
	}
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || number < 1 || number > 1_000_000 {
		number = 1
	}
	var texts []engine.SMS
	texts, page.Waiting, page.Total = p.platform.Engine().NewestTexts(engine.TextFilter{Mobile: mobile, Text: find},
		engine.Page{Skip: (number - 1) * textsPerPage, Limit: textsPerPage})
	for _, m := range texts {
		page.Texts = append(page.Texts, shown(m, page.Now))
	}
	at := func(n int) string {
		query := url.Values{"page": {strconv.Itoa(n)}}
		if find != "" {
			query.Set("q", find)
		}
		return page.Path + "?" + query.Encode()
	}
	if number > 1 {
		page.Newer = at(min(number-1, max(1, (page.Total+textsPerPage-1)/textsPerPage)))
	}
	if number*textsPerPage < page.Total {
		page.Older = at(number + 1)
	}
	page.Script = leftScript
	p.showUnder(w, http.StatusOK, policy("'self'", leftScript)+" 'self'; connect-src 'self'", "inbox", page)
}

// shown is a text as it stands on the page. Its time may be up before anybody
// has told the engine.
func shown(m engine.SMS, now time.Time) shownText {
	s := shownText{SMS: m, Masked: engine.MaskMiddle(m.Mobile), Left: m.Deadline.Sub(now)}
	switch m.State {
	case engine.SMSTold:
		s.Fate = "告知短信，无需回复"
	case engine.SMSYes:
		s.Fate = "已同意"
	case engine.SMSNo:
		s.Fate = "已拒绝"
	case engine.SMSOpen:
		if s.Left > 0 {
			break
		}
		fallthrough
	default:
		s.Fate, s.AnsweredAt = "已过期，未回复", m.Deadline
	}
	if site, err := url.Parse(m.Site); err == nil && engine.IsHTTPURL(m.Site) {
		s.Site = site.Scheme + "://" + site.Host + "/"
	}
	return s
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
	known := slices.ContainsFunc(p.platform.Engine().Inbox(mobile), func(m engine.SMS) bool { return m.ID == id && m.State != engine.SMSTold })
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
