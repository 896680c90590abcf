package store

import (
	"context"
	"time"
)

// Role is what a user may do.
type Role string

// The roles.
const (
	Member Role = "member" // borrows, lends, guarantees
	Admin  Role = "admin"  // works for the platform
)

// User is somebody who can log in. His id number is personal: it goes to IPS
// and to nobody else.
type User struct {
	ID        string
	Login     string
	Password  string // bcrypt
	Role      Role
	RealName  string
	IdentNo   string
	Mobile    string
	Email     string
	Account   string // custody account, "" until it is open
	CreatedAt time.Time
}

const userColumns = "id, login, password, role, real_name, ident_no, mobile, email, account, created_at"

func (u *User) into() []any {
	return []any{&u.ID, &u.Login, &u.Password, &u.Role, &u.RealName, &u.IdentNo, &u.Mobile, &u.Email, &u.Account, millis{&u.CreatedAt}}
}

// AddUser adds a user. [Conflict] tells a login name that is taken.
func (q *Queries) AddUser(ctx context.Context, u User) error {
	return q.insert(ctx, "users", userColumns,
		u.ID, u.Login, u.Password, u.Role, u.RealName, u.IdentNo, u.Mobile, u.Email, u.Account, u.CreatedAt)
}

// User finds a user.
func (q *Queries) User(ctx context.Context, id string) (User, error) {
	return one[User](ctx, q, "SELECT "+userColumns+" FROM users WHERE id = $1", id)
}

// UserByLogin finds a user by his login name.
func (q *Queries) UserByLogin(ctx context.Context, login string) (User, error) {
	return one[User](ctx, q, "SELECT "+userColumns+" FROM users WHERE login = $1", login)
}

// UserByAccount finds the user who has a custody account.
func (q *Queries) UserByAccount(ctx context.Context, account string) (User, error) {
	return one[User](ctx, q, "SELECT "+userColumns+" FROM users WHERE account = $1 AND account <> ''", account)
}

// Users lists the users of a role by login name.
func (q *Queries) Users(ctx context.Context, role Role) ([]User, error) {
	return list[User](ctx, q, "SELECT "+userColumns+" FROM users WHERE role = $1 ORDER BY login", role)
}

// SetAccount gives a user his custody account.
func (q *Queries) SetAccount(ctx context.Context, userID, account string) error {
	return q.change(ctx, "UPDATE users SET account = $1 WHERE id = $2", account, userID)
}

// AddSession lets the bearer of a token be a user, and forgets the sessions
// that are over.
func (q *Queries) AddSession(ctx context.Context, tokenHash, userID string, now, until time.Time) error {
	if _, err := q.exec(ctx, "DELETE FROM sessions WHERE expires_at < $1", now); err != nil {
		return err
	}
	return q.insert(ctx, "sessions", "token, user_id, expires_at", tokenHash, userID, until)
}

// SessionUser finds the user of a session that is not over.
func (q *Queries) SessionUser(ctx context.Context, tokenHash string, now time.Time) (User, error) {
	return one[User](ctx, q, "SELECT "+userColumns+" FROM users WHERE id = "+
		"(SELECT user_id FROM sessions WHERE token = $1 AND expires_at > $2)", tokenHash, now)
}

// EndSession ends a session, if there is one.
func (q *Queries) EndSession(ctx context.Context, tokenHash string) error {
	_, err := q.exec(ctx, "DELETE FROM sessions WHERE token = $1", tokenHash)
	return err
}
