package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/ips-p2p/ips/examples/platform/store"
	"golang.org/x/crypto/bcrypt"
)

const sessionTime = 12 * time.Hour

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
	user, err := a.store.SessionUser(r.Context(), hashOf(id), a.now())
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	v.user = user
	return v, err
}

func (a *App) setCookie(w http.ResponseWriter, id string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(), Value: id, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	})
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

func sameToken(want, got string) bool { return hmac.Equal([]byte(want), []byte(got)) }

// startSession logs a user in under a new cookie: whatever the old one was, it
// could have been planted.
func (a *App) startSession(w http.ResponseWriter, r *http.Request, user store.User) error {
	id := rand.Text()
	if err := a.store.AddSession(r.Context(), hashOf(id), user.ID, a.now(), a.now().Add(sessionTime)); err != nil {
		return err
	}
	a.setCookie(w, id, sessionTime)
	return nil
}

func (a *App) logout(w http.ResponseWriter, r *http.Request, _ *visit) error {
	if c, err := r.Cookie(a.cookieName()); err == nil {
		if err := a.store.EndSession(r.Context(), hashOf(c.Value)); err != nil {
			return err
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
	hash, err := bcrypt.GenerateFromPassword([]byte(password), a.passCost)
	return string(hash), err
}

// checkPassword takes the same time whether or not there is such a user.
func (a *App) checkPassword(user store.User, found bool, password string) bool {
	if !found {
		// As much work as a comparison.
		_, _ = bcrypt.GenerateFromPassword([]byte("nobody's password"), a.passCost)
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(user.Password), []byte(password)) == nil
}

func (a *App) loginPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.show(w, r, v, "login", "登录", nil)
}

func (a *App) login(w http.ResponseWriter, r *http.Request, _ *visit) error {
	user, err := a.store.UserByLogin(r.Context(), r.PostFormValue("login"))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !a.checkPassword(user, err == nil, r.PostFormValue("password")) {
		return &problem{http.StatusForbidden, "用户名或密码不正确"}
	}
	if err := a.startSession(w, r, user); err != nil {
		return err
	}
	if user.Role == store.Admin {
		return see(w, r, "/admin")
	}
	return see(w, r, "/account")
}
