package engine

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/find"
)

// How long a person has. The first two are the platform's; how long a page of
// another operation waits is our choice.
const (
	smsTime     = 30 * time.Minute
	openingTime = 20 * time.Minute
	pageTime    = 30 * time.Minute
)

// maxPasswordTries is how often a trade password may be mistyped (our choice).
const maxPasswordTries = 3

// The kinds of page that an Ask needs; see [AskInfo].
const (
	PagePassword = "password" // Input: password, the trade password
	PageAccount  = "account"  // Input: loginPassword, tradePassword, question, answer, bank, card
	PageBank     = "bank"     // Input: result, "paid" or "failed"
)

// pageText is the kind of consent that is given by text message.
const pageText = "sms"

// Line is one line of a page that asks for a confirmation.
type Line struct {
	Label string
	Value string
	Money bool // Value is an amount in yuan
	Term  bool // of a contract
}

// Payee is one row of a repayment on the page that asks for it.
type Payee struct {
	Order   string // pMerBillNo of the creditor registration
	Name    string // masked; "" for an account that does not exist
	Account string
	Amount  string // in yuan
	Fee     string // what the borrower pays for it, in yuan
}

// consent is what a task needs before it is done. The zero value is nothing.
type consent struct {
	page  string   // PagePassword, PageAccount, PageBank or pageText; "" for nothing
	from  *account // who agrees; nil is the merchant itself or somebody new
	lines []Line   // what the page shows
	time  time.Duration

	payees []Payee // of a repayment

	text string // of a message that goes to the person's mobile

	// By text message only.
	pending  func(o *order) Answer // what the merchant is told meanwhile
	declined *refusal              // when the answer is no
	late     *refusal              // when there is no answer
	job      bool                  // no answer is told by the next run of a job
}

// ask is a confirmation that a person must give on a page.
type ask struct {
	AskInfo
	order *order
	from  *account
}

// sms is a text message that wants an answer.
type sms struct {
	SMS
	order    *order
	declined *refusal
	late     *refusal
	job      bool
	told     bool // it failed for want of an answer, and the merchant knows
}

// SMS describes a text message.
type SMS struct {
	ID         string    `json:"id"`
	Mobile     string    `json:"mobile"`
	Name       string    `json:"-"`
	Account    string    `json:"account,omitempty"` // "" for somebody who has none yet
	Text       string    `json:"text"`
	Merchant   string    `json:"merchant"`
	Op         string    `json:"op"`
	Order      string    `json:"order"`
	Site       string    `json:"-"` // where the merchant sent it from: pWebUrl, or pS2SUrl
	At         time.Time `json:"at"`
	Deadline   time.Time `json:"deadline,omitzero"`
	State      SMSState  `json:"state"`
	AnsweredAt time.Time `json:"-"` // zero unless answered
}

// SMSState says what became of a text message.
type SMSState string

// The states of a text message.
const (
	SMSOpen    SMSState = "open"
	SMSYes     SMSState = "yes"
	SMSNo      SMSState = "no"
	SMSExpired SMSState = "expired"
	SMSTold    SMSState = "told" // wants no answer
)

// accountMode overrides the merchant's mode for one account.
type accountMode string

const (
	modeInherit accountMode = ""
	modeAuto    accountMode = "auto"
	modeManual  accountMode = "manual"
)

// agreesAtOnce says whether the person confirms without being asked.
func agreesAtOnce(m *merchant, a *account) bool {
	if a != nil && a.mode != modeInherit {
		return a.mode == modeAuto
	}
	return m.Auto
}

// seekConsent gets an order what it needs: it executes it at once, or opens
// the page whose number it returns, or sends a text message.
func (e *Engine) seekConsent(o *order) (askID string) {
	c := o.task.consent()
	atOnce := agreesAtOnce(o.merchant, c.from)
	switch {
	case c.page == pageText:
		m := e.send(o, c)
		o.answer = c.pending(o)
		if atOnce {
			e.reply(m, true)
		} else {
			e.await(deadline{at: m.Deadline, sms: m})
		}
	case c.page == "" || atOnce:
		e.execute(o)
	default:
		return e.open(o, c).ID
	}
	return ""
}

// open puts a page before a person.
func (e *Engine) open(o *order, c consent) *ask {
	e.numbers.Ask++
	a := &ask{order: o, from: c.from, AskInfo: AskInfo{
		ID: fmt.Sprintf("ASK%010d", e.numbers.Ask), Op: o.op.name, Title: o.op.title, Merchant: o.merchant.code(), MerchantName: o.merchant.Name,
		Order: o.key.bill, Page: c.page, Lines: c.lines, Payees: c.payees,
		At: e.now.In(China), Deadline: e.now.Add(cmp.Or(c.time, pageTime)).In(China), Open: true,
	}}
	if a.from != nil {
		a.Account = a.from.number
	}
	if a.Page == PagePassword {
		a.TriesLeft, a.AutoPassword = maxPasswordTries, a.wanted().matches(AutoPassword)
	}
	if a.Page == PageAccount {
		e.tell(o, o.task.(opener).person(), c.text)
	}
	o.ask, o.asked = a, a
	e.asks[a.ID] = a
	e.askList = append(e.askList, a)
	e.await(deadline{at: a.Deadline, ask: a})
	return a
}

// send asks a person by a text message.
func (e *Engine) send(o *order, c consent) *sms {
	e.numbers.SMS++
	m := e.write(fmt.Sprintf("SMS%010d", e.numbers.SMS), o, c.from, c.text)
	m.declined, m.late, m.job = c.declined, c.late, c.job
	m.Deadline, m.State = e.now.Add(smsTime).In(China), SMSOpen
	e.texts[m.ID] = m
	return m
}

// tell lets a person know something. Such a text has a number of its own kind,
// for nothing that happens ever names it.
func (e *Engine) tell(o *order, a *account, text string) {
	e.write(fmt.Sprintf("TELL%010d", len(e.textList)+1), o, a, text).State = SMSTold
}

func (e *Engine) write(id string, o *order, a *account, text string) *sms {
	m := &sms{order: o, SMS: SMS{
		ID: id, Mobile: a.mobile, Name: a.realName, Account: a.number, Text: text, Merchant: o.merchant.code(), Op: o.op.name,
		Order: o.key.bill, Site: cmp.Or(o.back, o.notify), At: e.now.In(China),
	}}
	e.textList = append(e.textList, m)
	o.texts = append(o.texts, m)
	e.inboxes[m.Mobile] = append(e.inboxes[m.Mobile], m)
	return m
}

// confirm is a person saying yes on a page. A page that is closed gives its
// first outcome again, without its notices.
func (e *Engine) confirm(a *ask, input map[string]string) Outcome {
	o := a.order
	if !a.Open {
		return o.outcome()
	}
	again := func(problem string) Outcome {
		return Outcome{Ask: a.ID, ReturnURL: o.back, Problem: problem}
	}
	switch a.Page {
	case PagePassword:
		if a.wanted().matches(input["password"]) {
			break
		}
		if a.TriesLeft--; a.TriesLeft > 0 {
			return again(fmt.Sprintf("交易密码错误，还可以再试%d次", a.TriesLeft))
		}
		return e.refuseAsk(a, wrongPasswords)
	case PageAccount:
		details, problem := readDetails(input)
		if problem != "" {
			return again(problem)
		}
		o.task.(opener).fill(details)
	case PageBank:
		switch input["result"] {
		case "paid":
		case "failed":
			return e.closeAsk(a, refuse(o.op.title, "MG18028F"))
		default:
			return again("请选择支付结果")
		}
	}
	e.close(a)
	e.execute(o)
	return o.outcome()
}

// Closed is the outcome of a command that comes to a page that is closed and so
// changes nothing; ok is false for any other.
func (e *Engine) Closed(cmd *Command) (out Outcome, ok bool) {
	if cmd.Kind != KindConfirm && cmd.Kind != KindCancel {
		return Outcome{}, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.asks[cmd.ID]
	if a == nil || a.Open {
		return Outcome{}, false
	}
	out = a.order.outcome()
	out.Answer = out.Answer.clone()
	return out, true
}

// cancel is a person saying no on a page.
func (e *Engine) cancel(a *ask) Outcome {
	if !a.Open {
		return a.order.outcome()
	}
	a.Cancelled = true
	return e.refuseAsk(a, cancelled)
}

// wanted is the trade password that a page asks for.
func (a *ask) wanted() passwordHash {
	if a.from == nil {
		return a.order.merchant.password
	}
	return a.from.password
}

// refuseAsk closes a page without success, by one of the operation's common
// codes.
func (e *Engine) refuseAsk(a *ask, n int) Outcome {
	o := a.order
	return e.closeAsk(a, o.op.refuse(n, o.merchant.code(), o.key.bill))
}

// closeAsk closes a page without success and fails its order.
func (e *Engine) closeAsk(a *ask, r *refusal) Outcome {
	e.close(a)
	e.fail(a.order, r)
	return a.order.outcome()
}

func (e *Engine) close(a *ask) {
	a.Open, a.Payees, a.ClosedAt = false, nil, e.now.In(China)
	a.Lines = slices.Clone(find.Choose(a.Lines, func(l Line) bool { return l.Money || l.Term }))
}

func (o *order) outcome() Outcome { return Outcome{Answer: o.answer, ReturnURL: o.back} }

// reply is the answer to a text message. Only the first one counts.
func (e *Engine) reply(m *sms, yes bool) {
	if m.State != SMSOpen {
		return
	}
	m.AnsweredAt = e.now.In(China)
	if yes {
		m.State = SMSYes
		e.execute(m.order)
		return
	}
	m.State = SMSNo
	e.fail(m.order, m.declined)
}

// passTo moves the clock, and lets everything time out on the way, each at
// its own time.
func (e *Engine) passTo(now time.Time) {
	for len(e.deadlines) > 0 {
		d := e.deadlines[0]
		if d.live() && d.at.After(now) {
			break
		}
		e.deadlines = e.deadlines[1:]
		if !d.live() {
			continue
		}
		e.now = d.at
		if d.sms != nil {
			e.expire(d.sms)
		} else {
			e.timeOut(d.ask)
		}
	}
	e.now = now
}

// jobInterval is how often the platform looks for registrations whose borrower
// did not answer. A merchant hears of one with the first run after its time is
// up: 33 to 46 minutes after the order were seen, and here it is 40 at the
// latest (our choice).
const jobInterval = 10 * time.Minute

// expire lets a text message time out, and tells of it when that is told.
func (e *Engine) expire(m *sms) {
	if m.State == SMSOpen && m.job {
		m.State = SMSExpired
		e.await(deadline{at: e.now.Truncate(jobInterval).Add(jobInterval), sms: m})
		return
	}
	m.State, m.told = SMSExpired, true
	e.fail(m.order, m.late)
}

func (e *Engine) timeOut(a *ask) {
	o := a.order
	if a.Page == PageAccount {
		o.known = o.task.(opener).late()
	}
	e.refuseAsk(a, unconfirmed)
}

// deadline is when a page or a text message is answered too late.
type deadline struct {
	at  time.Time
	ask *ask
	sms *sms
}

// live says whether the deadline still matters: answering is cheaper than
// searching the queue.
func (d deadline) live() bool {
	if d.sms != nil {
		return d.sms.State == SMSOpen || d.sms.State == SMSExpired && !d.sms.told
	}
	return d.ask.Open
}

func (d deadline) id() string {
	if d.sms != nil {
		return d.sms.ID
	}
	return d.ask.ID
}

// await puts a deadline where it belongs, earliest first; equal times go by
// number.
func (e *Engine) await(d deadline) {
	d.at = d.at.UTC()
	i, _ := slices.BinarySearchFunc(e.deadlines, d, func(a, b deadline) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.id(), b.id()))
	})
	e.deadlines = slices.Insert(e.deadlines, i, d)
}

// NextDeadline is when the next page or text message times out, so that a
// [KindTick] can be sent then; ok is false when nothing waits.
func (e *Engine) NextDeadline() (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.deadlines) > 0 {
		if d := e.deadlines[0]; d.live() {
			return d.at, true
		}
		e.deadlines = e.deadlines[1:]
	}
	return time.Time{}, false
}

// AutoPassword is the trade password of accounts that were opened without a
// page, and of merchants.
const AutoPassword = "123456"

// passwordHash keeps passwords out of memory dumps and views. A sandbox's
// passwords protect nothing, so the hash is a plain one.
type passwordHash [sha256.Size]byte

func hashPassword(s string) passwordHash { return sha256.Sum256([]byte(s)) }

func (p passwordHash) matches(s string) bool {
	h := hashPassword(s)
	return subtle.ConstantTimeCompare(p[:], h[:]) == 1
}

// opener is the task behind a [PageAccount].
type opener interface {
	fill(*details)
	late() given      // what an answer says when the user did not come back
	person() *account // who has no account yet
}

// details are what a new user typed on the platform's pages.
type details struct {
	login, trade, answer     passwordHash
	question, bank, cardTail string
}

// detailNames are the fields of a [PageAccount] in the order of the page.
var detailNames = [...]string{"loginPassword", "tradePassword", "question", "answer", "bank", "card"}

// DetailProblems says what is wrong with the input of a [PageAccount], by the
// name of the field and in Chinese; the limits are our choice.
func DetailProblems(input map[string]string) map[string]string {
	problems := make(map[string]string)
	add := func(name, problem string, wrong bool) {
		if wrong && problems[name] == "" {
			problems[name] = problem
		}
	}
	login, trade, card := input["loginPassword"], input["tradePassword"], input["card"]
	add("loginPassword", "登录密码必须为6至32个字符", !lengthIn(login, 6, 32))
	add("tradePassword", "交易密码必须为6至32个字符", !lengthIn(trade, 6, 32))
	add("tradePassword", "交易密码不能与登录密码相同", login == trade)
	add("question", "请选择密码保护问题", !lengthIn(input["question"], 1, 50))
	add("answer", "请填写密码保护问题的答案", !lengthIn(input["answer"], 1, 50))
	add("bank", "请选择开户银行", !lengthIn(input["bank"], 1, 30))
	add("card", "银行卡号必须为15至19位数字", len(card) < 15 || len(card) > 19 || !allDigits(card))
	return problems
}

// readDetails reads the form of account opening, or says what is wrong first.
func readDetails(input map[string]string) (*details, string) {
	problems := DetailProblems(input)
	for _, name := range detailNames {
		if problem := problems[name]; problem != "" {
			return nil, problem
		}
	}
	card := input["card"]
	return &details{
		login: hashPassword(input["loginPassword"]), trade: hashPassword(input["tradePassword"]),
		question: input["question"], answer: hashPassword(input["answer"]),
		bank: input["bank"], cardTail: card[len(card)-4:],
	}, ""
}

func lengthIn(s string, least, most int) bool {
	n := utf8.RuneCountInString(s)
	return n >= least && n <= most
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
