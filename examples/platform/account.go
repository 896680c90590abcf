package main

import (
	"cmp"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ips-p2p/ips"
)

// 商户会员注册, chapter 1, 用户开户, the chapters 10, 11 and 13, 托管账户充值 and
// 提现, and a member's orders.

func (a *App) home(d *work, r *http.Request, v *visit) (string, []Part) {
	return "首页", []Part{{
		Text:  "借款、投标、担保、还款、债权转让，资金全部存管于环迅支付资金管理平台。第一次来？请看业务场景。",
		Links: []Link{{"业务场景", "/chapters"}},
	}, loanTable(d, r, "/loan/", listing{where: "state NOT IN ('applied', 'failed', 'old') AND contract_no = ''", filters: publicLoans, sorts: newestLoans, none: "还没有发布的借款标。"})}
}

// loanTable lists loans; the path leads to one.
func loanTable(d *work, r *http.Request, path string, l listing) Part {
	type listedLoan struct {
		Loan
		Waiting ips.Amount // for its release
		Owed    bool
	}
	l.from, l.columns = "loans l", columnsOf[Loan]("l.")+", (SELECT COALESCE(SUM(s.principal), 0) FROM shares s WHERE s.bid_no = l.bid_no AND s.state = 'frozen'), "+
		"CASE WHEN EXISTS (SELECT 1 FROM dues d JOIN shares s ON s.id = d.share_id WHERE s.bid_no = l.bid_no AND d.state = 'open') THEN 1 ELSE 0 END"
	l.head = []string{"借款用途", "借款金额（元）", "年利率", "期限", "还款方式", "状态", "申请时间"}
	return listed(d, r, l, func(l listedLoan) []Cell {
		return []Cell{linked(l.Purpose, path+l.BidNo), number(l.Amount), {Text: l.Rate.String() + "%", Number: true}, text(months(l.Months)), text(repayModes[l.RepayMode]), text(stateOfLoan(l.Loan, l.Waiting, l.Owed)), text(when(l.CreatedAt))}
	})
}

// chapters lists the guide's chapters: who does what, where, and how far the
// visitor is, or, for staff, the platform.
func (a *App) chapters(d *work, r *http.Request, v *visit) (string, []Part) {
	list := Part{Head: []string{"章", "业务场景", "操作人", "怎么做", "进度"}}
	for _, c := range guide {
		link, progress := linked(c.name, c.path), ""
		if v.admin() && !c.staff {
			link.Path = "/admin"
		} else if c.staff && v.user.ID != "" && !v.admin() {
			link.Path = ""
		}
		if v.user.ID != "" {
			n := d.count("SELECT COUNT(*) FROM acts a JOIN ips_order o ON o.order_key = a.order_key WHERE o.state = 'done' AND ("+c.done+
				") AND (? OR "+isMine+")", v.admin(), v.user.ID, v.user.ID, v.user.Account)
			progress = "未开始"
			if n > 0 {
				progress = "已完成 " + strconv.Itoa(n) + " 笔"
			}
		}
		list.Rows = append(list.Rows, []Cell{text(c.no), link, text(c.who), text(c.how), text(progress)})
	}
	list.Text = "按 IPS 资金管理平台 v2.0《使用说明》的章节，逐章体验。会员和平台管理员各做各的：点击只会带您到自己能办理的页面。"
	if a.inbox != "" && a.manual {
		list.Text += "当前为手动模式：IPS 的页面和短信都等您本人确认。"
	} else if a.inbox != "" {
		list.Text += "当前为自动模式：IPS 的页面和短信自动确认，不会停下来（启动时加 -manual 改为手动）。"
	}
	return "业务场景", []Part{list, a.inboxLink(v)}
}

// inboxLink leads to the text messages of the sandbox in this program.
func (a *App) inboxLink(v *visit) (p Part) {
	if a.inbox != "" {
		p.Links = []Link{{"查看 IPS 短信", a.inbox + "?q=" + v.user.Mobile}}
	}
	return p
}

// personal are the fields of what IPS wants to know of a member.
func personal(u User) []Field {
	return []Field{
		{Label: "真实姓名", Name: "name", Value: u.RealName, Max: 30}, {Label: "身份证号", Name: "ident", Value: u.IdentNo, Max: 18},
		{Label: "手机号", Name: "mobile", Value: u.Mobile, Max: 11, Mode: "numeric"}, {Label: "邮箱", Name: "email", Value: u.Email, Type: "email", Max: 50},
	}
}

// typedInto reads them.
func typedInto(u User, r *http.Request) User {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	u.RealName, u.IdentNo, u.Mobile, u.Email = field("name"), strings.ToUpper(field("ident")), field("mobile"), field("email")
	return u
}

func (a *App) registerPage(d *work, r *http.Request, v *visit) (string, []Part) {
	if v.user.ID != "" {
		return loggedIn(v)
	}
	return "会员注册", []Part{{Forms: []Form{{Action: "/register", Button: "注册", Fields: append([]Field{
		{Label: "用户名", Name: "login", Max: 30}, {Label: "登录密码", Name: "password", Type: "password", Max: maxPassword},
	}, personal(User{})...)}}, Hint: "例如：张三，110101199001010001，13800000000，user@example.com"}}
}

func (a *App) register(w http.ResponseWriter, r *http.Request, _ *visit) error {
	user := typedInto(User{ID: newID(), Login: strings.TrimSpace(r.PostFormValue("login")), Role: Member, CreatedAt: a.now()}, r)
	err := checkMember(user)
	if err == nil {
		user.Password, err = a.hashPassword(r.PostFormValue("password"))
	}
	if err != nil {
		return err
	}
	if err := a.data.tx(r.Context(), func(w *work) {
		_, taken := maybe[User](w, "login = ?", user.Login)
		w.want(!taken, "用户名已被使用")
		add(w, user)
	}); err != nil {
		return err
	}
	if err := a.startSession(w, r, user); err != nil {
		return err
	}
	return see(w, r, "/account")
}

// plain reports whether a text has nothing in it that cannot be seen, by which one
// name would look like another.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// checkMember refuses what IPS would refuse for its form alone: without it, a slip
// would lock a member out of his account. Whether a person is who he says he is,
// IPS finds out.
func checkMember(u User) error {
	switch length := len([]rune(u.Login)); {
	case length == 0 || length > 30 || !plain(u.Login):
		return complain("请填写用户名（不超过 30 个字符）")
	case u.RealName == "" || len([]rune(u.RealName)) > 30 || !plain(u.RealName):
		return complain("请填写真实姓名（不超过 30 个字符）")
	case !identNo.MatchString(u.IdentNo):
		return complain("请填写 18 位身份证号，其中第 7 至 14 位为出生日期")
	case !mobileNo.MatchString(u.Mobile):
		return complain("请填写 11 位手机号，如 13800000000")
	}
	if _, err := time.Parse("20060102", u.IdentNo[6:14]); err != nil {
		return complain("身份证号中的出生日期不正确")
	}
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 50 || !plain(u.Email) {
		return complain("请填写邮箱，如 user@example.com（不超过 50 个字符）")
	}
	return nil
}

var identNo, mobileNo = regexp.MustCompile(`^[1-9]\d{16}[\dX]$`), regexp.MustCompile(`^1[3-9]\d{9}$`)

// correct changes what a member has typed of himself, as long as IPS has not made
// it the owner of an account. What was begun with the old data is not taken up.
func (a *App) correct(d *work, r *http.Request, v *visit) string {
	user := typedInto(d.user(v.user.ID), r)
	d.want(user.Account == "" && user.Role == Member, "您已开通托管账户，资料以 IPS 为准")
	if err := checkMember(user); err != nil {
		d.fail(err)
	}
	begun := progress(d, "user_id = ? AND operation = ? AND "+isUnderWay+" LIMIT 1", user.ID, string(ips.OpOpenAccount))
	d.want(len(begun) == 0, "IPS 正在处理您的开户，请等待结果")
	set(d, user)
	d.exec("UPDATE acts SET void = 1 WHERE user_id = ? AND operation = ?", user.ID, string(ips.OpOpenAccount))
	return "/account"
}

func (a *App) account(d *work, r *http.Request, v *visit) (string, []Part) {
	if v.user.Account == "" {
		return "我的账户", []Part{{Text: "您还没有 IPS 托管账户。开户后才能充值、投标和借款。", Forms: []Form{{Action: "/account/open", Button: "开通托管账户"}}}, {Heading: "我的资料", Forms: []Form{{Action: "/account/details", Button: "更正资料", Fields: personal(v.user)}},
			Hint: "开户时提交给 IPS；IPS 不接受的，在这里更正后再开户。"}}
	}
	has := d.holding(v.user.Account)
	type line struct {
		Posting
		Operation ips.Operation
		OrderNo   string
		Order     string
		Balance   ips.Amount
	}
	lines := listed(d, r, listing{
		heading: "资金明细", head: []string{"时间", "摘要", "可用变动", "冻结变动", "可用余额"}, none: "还没有资金变动。",
		columns: columnsOf[Posting]("p.") + ", a.operation, a.order_no, a.about, p.balance", args: []any{v.user.Account}, where: "1 = 1", filters: ofOrders[:1], days: "p.posted_at",
		from:  "(SELECT o.*, SUM(o.available) OVER (ORDER BY o.posted_at, o.order_key, o.line) AS balance FROM postings o WHERE o.account = ?) p JOIN acts a ON a.order_key = p.order_key",
		sorts: []choice{{"", "最新在前", "p.posted_at DESC, p.order_key DESC, p.line DESC"}, {"old", "最早在前", "p.posted_at, p.order_key, p.line"}, {"most", "变动从大到小", "ABS(p.available) + ABS(p.frozen) DESC, p.order_key, p.line"}},
	}, func(p line) []Cell {
		return []Cell{onDay(r, p.PostedAt), linked(strings.ReplaceAll(p.About+"（"+ending.ReplaceAllString(p.Order, "")+"）", "（"+p.About+"）", ""), orderPath(p.Operation, p.OrderNo)), number(p.Available), number(p.Frozen), number(p.Balance)}
	})
	return "我的账户", slices.Concat([]Part{{Facts: []Fact{{"托管账户", v.user.Account}, {"可用余额", has.Available.String() + " 元"}, {"冻结金额", has.Frozen.String() + " 元"}}, Links: []Link{{"充值与提现", "/funds"}}}}, a.totals(d, v.user), []Part{lines})
}

// totals are what a member has lent and what he owes: in all, next, and overdue.
func (a *App) totals(d *work, u User) (parts []Part) {
	type day struct {
		DueOn string
		Left  ips.Amount
	}
	today := ips.DateOf(a.now()).String()
	for _, side := range []struct{ heading, left, late, where string }{{"我的投资", "待收", "逾期未收", "s.holder_id = ?"}, {"我的借款", "待还", "逾期未还", "l.borrower_id = ?"}} {
		var left, late ips.Amount
		var next []day
		for _, due := range rows[day](d, "SELECT d.due_on, SUM(d.principal + d.interest - d.paid) FROM dues d JOIN shares s ON s.id = d.share_id JOIN loans l ON l.bid_no = s.bid_no "+
			"WHERE d.state = 'open' AND "+side.where+" GROUP BY d.due_on ORDER BY d.due_on", u.ID) {
			if left += due.Left; due.DueOn < today {
				late += due.Left
			}
			next = append(next, due)
		}
		p := Part{Heading: side.heading, Facts: []Fact{{side.left + "本息", left.String() + " 元"}}}
		if len(next) > 0 {
			p.Facts = append(p.Facts, Fact{"最近一期", dayOf(next[0].DueOn) + "，" + next[0].Left.String() + " 元"}, Fact{side.late, late.String() + " 元"})
		}
		parts = append(parts, p)
	}
	// What came, without what of it was principal or too much.
	came := d.count("SELECT COALESCE(SUM(available), 0) FROM postings WHERE account = ? AND about IN ('收到还款', '收到老标的还款', '代偿到账')", u.Account)
	principal := d.count("SELECT COALESCE(SUM(overpaid), 0) FROM shares WHERE holder_id = ?", u.ID) +
		d.count("SELECT COALESCE(SUM(d.paid - d.interest), 0) FROM dues d JOIN shares s ON s.id = d.share_id WHERE s.holder_id = ? AND d.paid > d.interest", u.ID)
	parts[0].Facts = append(parts[0].Facts, Fact{"累计投出", ips.Amount(-d.count("SELECT COALESCE(SUM(frozen), 0) FROM postings WHERE account = ? AND about IN ('放款', '受让债权')", u.Account)).String() + " 元（含手续费）"},
		Fact{"已收利息", ips.Amount(came-principal).String() + " 元（扣除手续费后）"})
	return parts
}

// openAccount takes up an opening that was begun: IPS lets one be resumed under
// its number, and refuses a second one of the same person.
func (a *App) openAccount(w http.ResponseWriter, r *http.Request, v *visit) error {
	d := a.data.read(r.Context())
	d.want(v.user.Account == "", "您已开通托管账户")
	begun := progress(d, "user_id = ? AND operation = ? AND void = 0 AND "+isOpen+" ORDER BY made_at DESC LIMIT 1", v.user.ID, string(ips.OpOpenAccount))
	if d.err != nil {
		return d.err
	}
	for _, p := range begun {
		return a.carry(w, r, p.OrderKey)
	}
	return a.place(w, r, v, func(*work, *http.Request, *visit) draft {
		return draft{kind: KindOther, about: "开通托管账户", request: ips.OpenAccountRequest{IdentNo: v.user.IdentNo, RealName: v.user.RealName, Mobile: v.user.Mobile, Email: v.user.Email, Date: ips.DateOf(a.now())}}
	})
}

func (a *App) funds(d *work, r *http.Request, v *visit) (string, []Part) {
	d.requireAccount(v.user)
	has := d.holding(v.user.Account)
	ebank := Part{Heading: "网银充值", Text: "暂时无法向 IPS 取得银行列表，请稍后再试。"}
	if banks, err := a.client.QueryBanks(r.Context()); err != nil {
		a.log.Warn("no banks", "err", err)
	} else {
		var options []Fact
		for _, b := range banks.Banks {
			options = append(options, Fact{b.Code, b.Name})
		}
		ebank.Text, ebank.Forms = "", []Form{{Action: "/recharge", Button: "去银行付款", Hidden: []Fact{{"channel", "ebank"}}, Fields: []Field{money("充值金额（元）", "amount", ""), {Label: "充值银行", Name: "bank", Options: options}}}}
	}
	return "充值与提现", []Part{
		{Text: "可用余额 " + has.Available.String() + " 元，冻结金额 " + has.Frozen.String() + " 元。"},
		ebank,
		{Heading: "代扣充值（委托收款）", Forms: []Form{{Action: "/recharge", Button: "代扣充值", Hidden: []Fact{{"channel", "withholding"}}, Fields: []Field{money("充值金额（元）", "amount", "")}}}, Hint: "代扣充值需事先面签委托授权书。"},
		{Heading: "提现", Text: "最多可提 " + max(0, has.Available-withdrawFee).String() + " 元。", Forms: []Form{{Action: "/withdraw", Button: "提现", Fields: []Field{money("提现金额（元）", "amount", "")}}}, Hint: "每笔手续费 " + withdrawFee.String() + " 元，在提现金额之外收取。"}}
}

func (a *App) recharge(d *work, r *http.Request, v *visit) draft {
	d.requireAccount(v.user)
	request := ips.RechargeRequest{
		IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account, Date: ips.DateOf(a.now()), Amount: d.positive(r, "amount", "充值金额"),
		Channel: ips.RechargeEBank, BankCode: r.PostFormValue("bank"), FeePayer: ips.PlatformPaysFee,
	}
	about := "网银充值 "
	if r.PostFormValue("channel") == "withholding" {
		request.Channel, request.BankCode, about = ips.RechargeWithholding, "", "代扣充值 "
	}
	return draft{kind: KindOther, about: about + request.Amount.String() + " 元", request: request}
}

func (a *App) withdraw(d *work, r *http.Request, v *visit) draft {
	d.requireAccount(v.user)
	amount := d.positive(r, "amount", "提现金额")
	d.wantFunds(v.user, amount+withdrawFee)
	return draft{kind: KindOther, about: "提现 " + amount.String() + " 元", request: ips.WithdrawRequest{
		IdentNo: v.user.IdentNo, RealName: v.user.RealName, Account: v.user.Account, Date: ips.DateOf(a.now()),
		Amount: amount, Fee: withdrawFee, FeePayer: ips.PlatformPaysFee,
	}}
}

// wantFunds spares a user the way to IPS, which alone can refuse for certain.
func (w *work) wantFunds(u User, amount ips.Amount) {
	has := w.holding(u.Account)
	w.want(has.Available >= amount, "可用余额 %s 元，不足以支付 %s 元", has.Available, amount)
}

func (a *App) orders(d *work, r *http.Request, v *visit) (string, []Part) {
	return "我的订单", []Part{orderTable(d, r, v, isMine, v.user.ID, v.user.ID, v.user.Account)}
}

func orderTable(d *work, r *http.Request, v *visit, where string, args ...any) Part {
	head := []string{"时间", "内容", "状态", "说明", "订单号", "标的", "会员"} // the last two are staff's
	if !v.admin() {
		head = head[:5]
	}
	return listed(d, r, listing{
		head: head, none: "还没有订单。", columns: progressColumns, from: actsAndOrders,
		where: where, args: args, filters: ofOrders, days: "made_at", sorts: []choice{{"", "最新在前", "made_at DESC, a.order_key"}, {"old", "最早在前", "made_at, a.order_key"}},
	}, func(p Progress) []Cell {
		p = d.own(p, v)
		row := []Cell{onDay(r, p.MadeAt), linked(p.About, orderPath(p.Operation, p.OrderNo)), text(stateOf(p)), text(said(p.Note, v)), text(p.OrderNo)}
		if v.admin() {
			bid := Cell{}
			if loan, ok := maybe[Loan](d, "bid_no = ?", p.BidNo); ok {
				bid = linked(loan.Purpose, "/admin/loan/"+p.BidNo)
			}
			row = append(row, bid, text(d.whose(p.Act)))
		}
		return row
	})
}

// ending is the amount that the words about an order end with.
var ending = regexp.MustCompile(` ?[\d.]+ 元$`)

// own is an order as its reader is concerned: of one that is somebody else's, which
// has moved money of the reader's, his part is what counts.
func (d *work) own(p Progress, v *visit) Progress {
	if v.admin() || p.UserID == v.user.ID || p.MemberID == v.user.ID {
		return p
	}
	moved := ips.Amount(d.count("SELECT COALESCE(SUM(available + frozen), 0) FROM postings WHERE order_key = ? AND account = ?", p.OrderKey, v.user.Account))
	failed := ips.Amount(d.count("SELECT COALESCE(SUM(amount), 0) FROM failures WHERE order_key = ? AND account = ?", p.OrderKey, v.user.Account))
	if p.About = ending.ReplaceAllString(p.About, ""); moved != 0 {
		p.About += " " + max(moved, -moved).String() + " 元"
	}
	if p.Note = ""; failed > 0 {
		p.Note = partlyDone + "：您的 " + failed.String() + " 元未成功"
	}
	return p
}

// whose names an order's member, and who of the staff has pressed the button.
func (d *work) whose(act Act) string {
	if act.MemberID == "" || act.MemberID == act.UserID {
		return d.person(act.UserID)
	}
	return d.person(act.MemberID) + "（经办 " + d.person(act.UserID) + "）"
}

// orderOf finds the order that a page is about, if the visitor may see it.
func (d *work) orderOf(r *http.Request, v *visit) (p Progress) {
	all := progress(d, "operation = ? AND a.order_no = ? AND (? OR "+isMine+") ORDER BY made_at DESC LIMIT 1", r.PathValue("op"), r.PathValue("no"), v.admin(), v.user.ID, v.user.ID, v.user.Account)
	if len(all) == 0 {
		d.fail(errNotFound)
		return p
	}
	return all[0]
}

func (a *App) order(d *work, r *http.Request, v *visit) (string, []Part) {
	p := d.own(d.orderOf(r, v), v)
	facts := []Fact{{"订单号", p.OrderNo}, {"状态", stateOf(p)}, {"提交时间", when(p.MadeAt)}}
	if p.Kind == KindEnd {
		facts[0].Value += "（接口规定与标的登记同号）"
	}
	if p.Note != "" && (p.Void || !p.State.Ended()) { // else the headline says it
		facts = append(facts, Fact{"说明", said(p.Note, v)})
	}
	if p.State.Ended() {
		facts = append(facts, Fact{"完成时间", when(p.EndedAt)})
	}
	if v.admin() {
		facts = append(facts, Fact{"业务", operationName(p.Operation)}, Fact{"会员", d.whose(p.Act)})
	}
	if v.user.Account != "" {
		has := d.holding(v.user.Account)
		facts = append(facts, Fact{"托管账户", v.user.Account}, Fact{"当前账户余额", "可用 " + has.Available.String() + " 元，冻结 " + has.Frozen.String() + " 元"})
	}
	head := Part{Facts: facts, Links: []Link{{map[bool]string{true: "全部订单", false: "我的订单"}[v.admin()], map[bool]string{true: "/admin/orders", false: "/orders"}[v.admin()]}}}
	if p.BidNo != "" {
		head.Links = append(head.Links, Link{"查看标的", "/loan/" + p.BidNo})
	}
	if v.admin() {
		head.Links = append(head.Links, Link{"在订单簿中查看", "/admin/book/order?key=" + url.QueryEscape(p.OrderKey)})
	}
	path := orderPath(p.Operation, p.OrderNo)
	if p.ByUser && !p.State.Ended() && p.UserID == v.user.ID && (p.left() || p.Kind != KindPublish) {
		head.Forms = append(head.Forms, Form{Action: path + "/continue", Button: "继续办理（前往 IPS）"})
	}
	if p.left() && !p.Void && v.admin() {
		head.Forms = append(head.Forms, Form{Action: "/admin" + path + "/void", Button: "作废（用户未在 IPS 确认）", Ask: "作废后不能恢复；用户若仍在 IPS 确认，结果照常入账。"})
	}
	said, class := headline(p, v)
	parts := []Part{{Text: said, Class: class}, head}
	if !p.State.Ended() {
		v.again = 3
		if a.now().Sub(p.MadeAt) > time.Minute {
			v.again = 20
		}
		if asksByText(p.Operation) {
			parts = append(parts, a.inboxLink(v))
		}
	}
	var unpaid []string
	mine := p.UserID == v.user.ID || p.MemberID == v.user.ID
	failed := listed(d, r, listing{
		heading: "未成功的明细", head: []string{"行", "账户", "金额（元）", "原因"}, columns: columnsOf[Failure](""), from: "failures",
		where: "order_key = ? AND (account = ? OR ?)", args: []any{p.OrderKey, v.user.Account, v.admin() || mine}, sorts: []choice{{"", "", "line"}}, name: "failed-",
	}, func(f Failure) []Cell {
		unpaid = append(unpaid, "向 "+d.owner(f.Account)+" 的 "+f.Amount.String()+" 元")
		return []Cell{{Text: strconv.Itoa(f.Line), Number: true}, text(d.owner(f.Account)), number(f.Amount), text(cmp.Or(f.Reason, "IPS 未说明原因"))}
	})
	if (p.Kind == KindRepay || p.Kind == KindAutoRepay) && len(unpaid) > 0 && (mine || v.admin()) {
		parts[0].Text += "。" + strings.Join(unpaid[:min(3, len(unpaid))], "、") + map[bool]string{true: "等"}[len(unpaid) > 3] + "没有付成，没有扣款；尚未还的，可在标的页面再还。"
		parts[0].Links = []Link{{"去标的页面", "/loan/" + p.BidNo}}
	}
	parts = append(parts, failed, listed(d, r, listing{
		heading: "资金变动", head: []string{"账户", "摘要", "可用变动", "冻结变动"}, columns: columnsOf[Posting](""), from: "postings",
		where: "order_key = ? AND (account = ? OR ?)", args: []any{p.OrderKey, v.user.Account, v.admin()}, sorts: []choice{{"", "", "line"}},
	}, func(l Posting) []Cell {
		return []Cell{text(d.owner(l.Account)), text(l.About), number(l.Available), number(l.Frozen)}
	}))
	return "订单：" + p.About, parts
}

// continueOrder lets the user carry the very same form to IPS again, if what it
// pays for still is what it was.
func (a *App) continueOrder(w http.ResponseWriter, r *http.Request, v *visit) error {
	d := a.data.read(r.Context())
	p := d.orderOf(r, v)
	if d.err != nil {
		return d.err
	}
	if p.UserID != v.user.ID {
		return &problem{http.StatusForbidden, "只有本人可以继续办理"}
	}
	if p.left() {
		if err := a.data.tx(r.Context(), func(w *work) { a.wantCurrent(w, p.Act) }); err != nil {
			return err
		}
	}
	return a.carry(w, r, p.OrderKey)
}

// wantCurrent complains of a form whose time is over: what it would pay was paid,
// or is not for sale any more.
func (a *App) wantCurrent(w *work, act Act) {
	w.want(!act.Void, "该订单已被平台作废，请重新办理")
	switch act.Kind {
	case KindRepay:
		now := a.nextPayment(w, w.lock(act.BidNo), act.OrderKey, "")
		w.want(act.Mark == now.first(maxRepayRows).mark(), "还款计划已变化，请从标的页面重新办理")
	case KindBuy:
		w.lock(act.BidNo)
		sale := find[Sale](w, "id = ?", act.Ref)
		w.want(sale.State == SaleOffered && act.Mark == w.mark(find[Share](w, "id = ?", sale.ShareID)), "该债权已不在转让中")
	case KindBid, KindGuarantee:
		w.want(w.lock(act.BidNo).open(), "该标的不在募集中")
	}
}
