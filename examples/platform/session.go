package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const sessionTime, hashTime = 12 * time.Hour, 5 * time.Second

func (a *App) cookieName() string {
	if a.secure {
		return "__Host-session" // browsers tie it to this host and HTTPS
	}
	return "session"
}

// visitOf finds out who visits. Everybody gets a cookie, since the token that
// protects forms comes from it, the login form's included; it is a session
// only once the database says so.
func (a *App) visitOf(w http.ResponseWriter, r *http.Request) (*visit, error) {
	id := ""
	if c, err := r.Cookie(a.cookieName()); err == nil && len(c.Value) == 26 {
		id = c.Value
	}
	if id == "" {
		id = rand.Text()
		a.setCookie(w, id, 0)
		return &visit{token: tokenOf(id)}, nil
	}
	v := &visit{token: tokenOf(id)}
	var err error
	v.user, err = a.sessionUser(r, id)
	return v, err
}

// sessionUser is the user of a session that is not over.
func (a *App) sessionUser(r *http.Request, id string) (User, error) {
	d := a.data.read(r.Context())
	user, _ := maybe[User](d, "id = (SELECT user_id FROM sessions WHERE token = ? AND expires_at > ?)", hashOf(id), a.now().UnixMicro())
	return user, d.err
}

func (a *App) setCookie(w http.ResponseWriter, id string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(), Value: id, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode})
}

// hashOf is what the database keeps of a cookie, so that a copy of the
// database lets nobody in.
func hashOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// tokenOf is what a page proves with that it is the site's own: another site
// can make a browser send the cookie, but can neither read it nor work this out.
func tokenOf(id string) string {
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("form"))
	return hex.EncodeToString(mac.Sum(nil))
}

// startSession logs a user in under a new cookie: whatever the old one was, it
// could have been planted.
func (a *App) startSession(w http.ResponseWriter, r *http.Request, user User) error {
	id := rand.Text()
	d := a.data.read(r.Context())
	d.exec("DELETE FROM sessions WHERE expires_at < ?", a.now().UnixMicro())
	add(d, Session{Token: hashOf(id), UserID: user.ID, ExpiresAt: a.now().Add(sessionTime)})
	if d.err == nil {
		a.setCookie(w, id, sessionTime)
	}
	return d.err
}

func (a *App) logout(w http.ResponseWriter, r *http.Request, _ *visit) error {
	if c, err := r.Cookie(a.cookieName()); err == nil {
		d := a.data.read(r.Context())
		if d.exec("DELETE FROM sessions WHERE token = ?", hashOf(c.Value)); d.err != nil {
			return d.err
		}
	}
	a.setCookie(w, rand.Text(), 0)
	return see(w, r, "/")
}

const minPassword, maxPassword = 8, 72 // bcrypt takes no more than 72 bytes

func (a *App) hashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", complain("登录密码须为 %d 至 %d 个字符", minPassword, maxPassword)
	}
	done, err := a.turn()
	if err != nil {
		return "", err
	}
	defer done()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), a.passCost)
	return string(hash), err
}

// checkPassword takes the same time whether or not there is such a user.
func (a *App) checkPassword(user User, found bool, password string) (right bool, err error) {
	done, err := a.turn()
	if err != nil {
		return false, err
	}
	defer done()
	if !found {
		// As much work as a comparison.
		_, err = bcrypt.GenerateFromPassword([]byte("nobody's password"), a.passCost)
		return false, err
	}
	return bcrypt.CompareHashAndPassword([]byte(user.Password), []byte(password)) == nil, nil
}

// turn waits, but not for long, until few others hash passwords: strangers can ask
// for it, and it costs more than any page.
func (a *App) turn() (done func(), err error) {
	select {
	case a.hashing <- struct{}{}:
		return func() { <-a.hashing }, nil
	case <-time.After(hashTime):
		return nil, &problem{http.StatusServiceUnavailable, "登录的人太多，请稍后再试"}
	}
}

// maxGuesses is how often a password may be wrong within guessTime, by what comes
// from one address: a stranger elsewhere locks nobody out. He has ten times as many
// for names that nobody has.
const maxGuesses, guessTime = 10, 10 * time.Minute

// guesses counts tries to log in. Each program counts its own.
type guesses struct {
	mu    sync.Mutex
	tries map[string]int
	since time.Time
}

// more counts a try, before it is known whether it is right, and reports whether it
// may be made. All are forgotten together, which bounds the memory.
func (g *guesses) more(who string, most int, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.since) > guessTime || g.tries == nil || len(g.tries) > 100_000 {
		g.tries, g.since = make(map[string]int), now
	}
	g.tries[who]++
	return g.tries[who] <= most
}

func (g *guesses) forget(who string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tries, who)
}

func (a *App) loginPage(d *work, r *http.Request, v *visit) (string, []Part) {
	if v.user.ID != "" {
		return loggedIn(v)
	}
	form, why := Form{Action: "/login", Button: "登录"}, ""
	if next := local(r.URL.Query().Get("next")); next != "" {
		form.Hidden, why = []Fact{{"next", next}}, "请先登录，登录后回到刚才的页面。"
	}
	form.Fields = []Field{{Label: "用户名", Name: "login", Max: 30}, {Label: "登录密码", Name: "password", Type: "password", Max: maxPassword}}
	return "登录", []Part{{Text: why, Forms: []Form{form}, Links: []Link{{"还没有账号？注册", "/register"}}}}
}

// loggedIn is shown to who is logged in instead of the ways to become so.
func loggedIn(v *visit) (string, []Part) {
	return "您已登录", []Part{{Text: "您已作为 " + v.user.Login + " 登录。要换一个用户，请先退出。", Links: []Link{{"返回首页", "/"}}}}
}

func (a *App) login(w http.ResponseWriter, r *http.Request, _ *visit) error {
	d := a.data.read(r.Context())
	user, found := maybe[User](d, "login = ?", r.PostFormValue("login"))
	if d.err != nil {
		return d.err
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !a.guesses.more(user.ID+"/"+host, map[bool]int{true: maxGuesses, false: 10 * maxGuesses}[found], a.now()) {
		return &problem{http.StatusTooManyRequests, "密码错误次数过多，请稍后再试"}
	}
	right, err := a.checkPassword(user, found, r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if !right {
		return &problem{http.StatusForbidden, "用户名或密码不正确"}
	}
	a.guesses.forget(user.ID + "/" + host)
	if err := a.startSession(w, r, user); err != nil {
		return err
	}
	home := map[Role]string{Member: "/account", Admin: "/admin"}[user.Role]
	return see(w, r, cmp.Or(local(r.PostFormValue("next")), home))
}

// staff names the member of the staff who works with the book's console.
func (a *App) staff(r *http.Request) (name string, ok bool) {
	c, err := r.Cookie(a.cookieName())
	if err != nil {
		return "", false
	}
	user, err := a.sessionUser(r, c.Value)
	return user.Login, err == nil && user.Role == Admin
}
