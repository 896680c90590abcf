package sandbox

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

const (
	webPrefix     = "/CreditWeb/"
	confirmPrefix = webPrefix + "confirm/"
	stylesheet    = webPrefix + "style.css"

	maxFormParts = 100
)

// ServeHTTP answers as the platform would. Paths are the same in any case, as
// on the platform's IIS.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Sandbox", "this is not IPS")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	s.disturbed(w, r, s.route)
}

// route finds out what a request is for.
func (s *Sandbox) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if path == "/" {
		s.pages.index(w)
		return
	}
	if path == healthPath {
		s.serveHealth(w, r)
		return
	}
	if strings.HasPrefix(path, adminPrefix) {
		s.admin.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(path, consolePrefix) {
		s.console.ServeHTTP(w, r)
		return
	}
	if path+"/" == consolePrefix {
		http.Redirect(w, r, consolePrefix, http.StatusMovedPermanently)
		return
	}
	for _, svc := range []service{tradeService(), queryService()} {
		if strings.EqualFold(path, svc.path) {
			s.serveService(w, r, svc)
			return
		}
	}
	if strings.EqualFold(path, stylesheet) {
		s.pages.style(w)
		return
	}
	if id, ok := cutPrefixFold(path, confirmPrefix); ok {
		s.serveConfirm(w, r, id)
		return
	}
	if strings.EqualFold(path, smsPath) {
		s.serveSMS(w, r, "")
		return
	}
	if mobile, ok := cutPrefixFold(path, smsPath+"/"); ok {
		s.serveSMS(w, r, mobile)
		return
	}
	if page, ok := cutPrefixFold(path, webPrefix); ok {
		s.servePage(w, r, page)
		return
	}
	s.pages.failure(w, http.StatusNotFound, failure{Text: "页面不存在"})
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// servePage takes the form that a browser, or the merchant's server, posts.
//
// What HTTP itself can say of a request (wrong method, media type or size) is
// said with its status. Everything about the message is said with HTTP 200 on
// the page, as ASP.NET would (our choice).
func (s *Sandbox) servePage(w http.ResponseWriter, r *http.Request, page string) {
	op, ok := pageOperation(page)
	if !ok {
		s.pages.failure(w, http.StatusNotFound, failure{Text: "接口不存在"})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.pages.failure(w, http.StatusMethodNotAllowed, failure{Op: op, Text: "请用POST方式提交"})
		return
	}
	params, status := readForm(r)
	if status != http.StatusOK {
		s.pages.failure(w, status, failure{Op: op, Text: formTrouble(status)})
		return
	}
	res, err := s.submitForm(op, r.RemoteAddr, params)
	switch {
	case err != nil:
		s.pages.failure(w, http.StatusServiceUnavailable, failure{Op: op, Code: codeSystem, Text: "系统异常"})
	case res.ask != "":
		http.Redirect(w, r, s.ConfirmPath(res.ask), http.StatusSeeOther)
	default:
		s.showResult(w, res, false)
	}
}

func (s *Sandbox) submitForm(op operation, peer string, params []wire.Pair) (result, error) {
	req, bad := newRequest(op, ViaPage, peer, params)
	if bad != nil {
		s.messages.add(Message{At: s.Now(), Direction: In, Via: ViaPage, Peer: peer, Op: op.name})
		res := result{op: op, answer: sealed{code: bad.code, text: bad.text}}
		s.recordAnswer(ViaReturn, peer, res, false)
		return res, nil
	}
	return s.submit(req)
}

// showResult sends the browser back to the merchant, or tells the person what
// went wrong when the way back is not known. Somebody who has just answered
// a page gets to see the result first.
func (s *Sandbox) showResult(w http.ResponseWriter, res result, answered bool) {
	if res.returnURL == "" {
		s.pages.failure(w, http.StatusOK, failure{Op: res.op, Code: res.answer.code, Text: res.answer.text})
		return
	}
	s.pages.back(w, res, answered)
}

func formTrouble(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "提交的内容过大"
	case http.StatusUnsupportedMediaType:
		return "提交的内容类型不正确，应为application/x-www-form-urlencoded或multipart/form-data"
	default:
		return "提交的表单格式不正确"
	}
}

// readForm reads the body's fields, never the query's, sorted by name. Its
// status is 200 or says what is wrong.
func readForm(r *http.Request) ([]wire.Pair, int) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, http.StatusUnsupportedMediaType
	}
	values := url.Values{}
	switch media {
	case "application/x-www-form-urlencoded":
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			values, err = url.ParseQuery(string(body))
		}
	case "multipart/form-data":
		values, err = readMultipart(multipart.NewReader(r.Body, params["boundary"]))
	default:
		return nil, http.StatusUnsupportedMediaType
	}
	if err != nil {
		return nil, bodyStatus(err)
	}
	var pairs []wire.Pair
	for name, list := range values {
		for _, v := range list {
			pairs = append(pairs, wire.Pair{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(pairs, func(a, b wire.Pair) int { return strings.Compare(a.Name, b.Name) })
	return pairs, http.StatusOK
}

var errTooManyParts = errors.New("too many parts")

// readMultipart reads fields into memory; the request's body is bounded.
// Uploaded files are passed over.
func readMultipart(r *multipart.Reader) (url.Values, error) {
	values := url.Values{}
	for range maxFormParts {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		if part.FormName() == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		values.Add(part.FormName(), string(value))
	}
	return nil, errTooManyParts
}

func bodyStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}
