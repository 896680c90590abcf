package main

import (
	"net/http"
	"strings"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/examples/platform/store"
)

// 商户会员注册 and chapter 1, 用户开户.

func (a *App) home(w http.ResponseWriter, r *http.Request, v *visit) error {
	loans, err := a.store.Loans(r.Context())
	if err != nil {
		return err
	}
	return a.show(w, r, v, "home", "首页", loans)
}

func (a *App) chapters(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.show(w, r, v, "chapters", "业务场景", guide())
}

func (a *App) registerPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return a.show(w, r, v, "register", "会员注册", nil)
}

func (a *App) register(w http.ResponseWriter, r *http.Request, _ *visit) error {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	user := store.User{
		ID: store.NewID(), Login: field("login"), Role: store.Member, RealName: field("name"), IdentNo: field("ident"),
		Mobile: field("mobile"), Email: field("email"), CreatedAt: a.now(),
	}
	if err := checkMember(user); err != nil {
		return err
	}
	var err error
	if user.Password, err = a.hashPassword(r.PostFormValue("password")); err != nil {
		return err
	}
	err = a.store.AddUser(r.Context(), user)
	switch {
	case store.Conflict(err):
		return complain("用户名已被使用")
	case err != nil:
		return err
	}
	if err := a.startSession(w, r, user); err != nil {
		return err
	}
	return see(w, r, "/account")
}

// checkMember looks for what is missing; whether a person is who he says he is,
// IPS finds out.
func checkMember(u store.User) error {
	for _, f := range []struct {
		value, label string
		max          int
	}{
		{u.Login, "用户名", 30}, {u.RealName, "真实姓名", 30}, {u.IdentNo, "身份证号", 20}, {u.Mobile, "手机号", 11}, {u.Email, "邮箱", 50},
	} {
		if f.value == "" || len([]rune(f.value)) > f.max {
			return complain("请填写%s（不超过 %d 个字符）", f.label, f.max)
		}
	}
	return nil
}

func (a *App) account(w http.ResponseWriter, r *http.Request, v *visit) error {
	var data struct {
		Balance  store.Balance
		Postings []store.Posting
	}
	if v.user.Account != "" {
		var err error
		if data.Balance, err = a.store.Balance(r.Context(), v.user.Account); err != nil {
			return err
		}
		if data.Postings, err = a.store.Postings(r.Context(), v.user.Account, 50); err != nil {
			return err
		}
	}
	return a.show(w, r, v, "account", "我的账户", data)
}

// openAccount takes up an opening that was left midway under its own number,
// as IPS wants it.
func (a *App) openAccount(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.user.Account != "" {
		return complain("您已开通托管账户")
	}
	if v.admin() {
		return complain("平台管理员没有托管账户")
	}
	started, err := a.store.UserOrders(r.Context(), v.user.ID, 100)
	if err != nil {
		return err
	}
	for _, order := range started {
		if order.Operation == ips.OpOpenAccount && !order.State.Final() {
			return a.carry(w, r, order)
		}
	}
	return a.begin(w, r, v, func(*store.Tx) (draft, error) {
		return draft{about: "开通托管账户", request: ips.OpenAccountRequest{
			OrderNo: ips.NewOrderNo("OA"), IdentNo: v.user.IdentNo, RealName: v.user.RealName, Mobile: v.user.Mobile, Email: v.user.Email,
			Date: ips.DateOf(a.now()), ReturnURL: a.returnURL(ips.OpOpenAccount), NotifyURL: a.notifyURL(ips.OpOpenAccount),
		}}, nil
	})
}

func (a *App) orders(w http.ResponseWriter, r *http.Request, v *visit) error {
	orders, err := a.store.UserOrders(r.Context(), v.user.ID, 100)
	if err != nil {
		return err
	}
	return a.show(w, r, v, "orders", "我的订单", struct {
		Orders []store.Order
		All    bool
	}{orders, false})
}

// orderOf finds the order that a page is about, if the visitor may see it.
func (a *App) orderOf(r *http.Request, v *visit) (store.Order, error) {
	key := store.OrderKey{Operation: ips.Operation(r.PathValue("op")), OrderNo: r.PathValue("no")}
	order, err := a.store.Order(r.Context(), key)
	if err == nil && order.UserID != v.user.ID && !v.admin() {
		err = store.ErrNotFound
	}
	return order, err
}

func (a *App) order(w http.ResponseWriter, r *http.Request, v *visit) error {
	order, err := a.orderOf(r, v)
	if err != nil {
		return err
	}
	act, err := actOf(order.Operation)
	if err != nil {
		return err
	}
	data := struct {
		Order          store.Order
		Continue       bool // the visitor may carry it to IPS again
		Void           bool // the visitor may give it up
		Answers        []store.Answer
		Postings       []store.Posting
		Contradictions []store.Contradiction
	}{Order: order}
	data.Continue = !act.called() && !order.State.Final() && order.UserID == v.user.ID
	data.Void = !act.called() && order.State == ips.OrderRecorded && v.admin()
	if data.Answers, err = a.store.Answers(r.Context(), order.OrderKey); err != nil {
		return err
	}
	if data.Postings, err = a.store.OrderPostings(r.Context(), order.OrderKey); err != nil {
		return err
	}
	if data.Contradictions, err = a.store.Contradictions(r.Context(), order.OrderKey); err != nil {
		return err
	}
	if !v.admin() {
		data.Postings, data.Contradictions = ownPostings(data.Postings, v.user.Account), nil
	}
	return a.show(w, r, v, "order", "订单", data)
}

func ownPostings(all []store.Posting, account string) []store.Posting {
	var own []store.Posting
	for _, p := range all {
		if p.Account == account {
			own = append(own, p)
		}
	}
	return own
}

// continueOrder lets the user carry the very same form to IPS again. IPS knows
// the number: it goes on where he left, or says once more how it ended.
func (a *App) continueOrder(w http.ResponseWriter, r *http.Request, v *visit) error {
	order, err := a.orderOf(r, v)
	if err != nil {
		return err
	}
	if order.UserID != v.user.ID {
		return &problem{http.StatusForbidden, "只有本人可以继续办理"}
	}
	return a.carry(w, r, order)
}
