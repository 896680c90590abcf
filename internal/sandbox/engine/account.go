package engine

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// account finds an account of the merchant; another merchant's does not exist
// for it.
func (e *Engine) account(m *merchant, number string) *account {
	if a := e.accounts[number]; a != nil && a.merchant == m {
		return a
	}
	return nil
}

// What pStatus says of an account opening.
const (
	openingDone     = "10"
	openingTimedOut = "5"
	openingFailed   = "9"
)

// openedText is what the platform says of an account that it has opened.
const openedText = "账户注册成功"

// openAccountOperation is 4.2 开户.
func openAccountOperation() *operation {
	fields := request(true,
		merBillNo(),
		field{name: "pIdentType", label: "证件类型", rule: oneOf("1")},
		// What a person is must check out as a whole: see openTask.
		field{name: "pIdentNo", label: "证件号码", rule: text(20), mask: MaskMiddle},
		field{name: "pRealName", label: "真实姓名", rule: text(30), mask: maskName},
		field{name: "pMobileNo", label: "手机号", rule: text(11), mask: MaskMiddle},
		field{name: "pEmail", label: "邮箱", rule: text(50), mask: MaskMiddle},
		date("pSmDate", "提交日期"),
	)
	return &operation{
		name: "CreateNewIpsAcct", title: "开户", number: "01", trade: "01", redirect: true, fields: fields,
		response: response("pStatus", "pMerBillNo", "pSmDate", "pEmail", "pIdentNo", "pRealName", "pMobileNo",
			"pBankName", "pBkAccName", "pBkAccNo", "pCardStatus", "pPhStatus", "pIpsAcctNo", "pIpsAcctDate"),
		failed: given{"pStatus": openingFailed, "pCardStatus": "F", "pPhStatus": "F"},
		// A user who comes back another day is sent with that day's date.
		identity: []string{"pMerBillNo", "pIdentType", "pIdentNo", "pRealName", "pMobileNo", "pEmail"},
		plan: func(e *Engine, s *submission) (task, *refusal) {
			if r := checkParticulars(s, e.now); r != nil {
				return nil, r
			}
			return &openTask{submission: s}, nil
		},
	}
}

// checkParticulars finds everything that is wrong with a person at once, in
// the words of the platform, which does not follow its own pattern here.
func checkParticulars(s *submission, now time.Time) *refusal {
	var wrong []string
	add := func(name, problem string) {
		if problem != "" {
			wrong = append(wrong, name+problem)
		}
	}
	add("pIdentNo", identNoProblem(s.get("pIdentNo"), now))
	add("pRealName", realNameProblem(s.get("pRealName")))
	if !mobileForm.MatchString(s.get("pMobileNo")) {
		add("pMobileNo", "手机号格式不正确！")
	}
	if wrong == nil {
		return nil
	}
	const code = "MG01002F"
	return &refusal{code: code, text: fmt.Sprintf(textOf(code)[1:], s.merchant.code(), shown(s.get("pMerBillNo")), strings.Join(wrong, " "))}
}

var (
	identNoForm = regexp.MustCompile(`^([0-9]{15}|[0-9]{17}[0-9Xx])$`)
	mobileForm  = regexp.MustCompile(`^[0-9]{11}$`)
)

// identNoProblem checks the form and the date of birth. The check digit is
// left alone (our choice), so that fictional numbers can be used.
func identNoProblem(s string, now time.Time) string {
	if !identNoForm.MatchString(s) {
		return "身份证号码格式不正确！"
	}
	birth := "19" + s[6:min(12, len(s))]
	if len(s) == 18 {
		birth = s[6:14]
	}
	born, err := time.ParseInLocation(dateLayout, birth, China)
	if err != nil || born.Year() < 1900 || born.After(now) {
		return "身份证输入出身年月日部分查验异常！"
	}
	return ""
}

// realNameProblem takes Chinese characters and, our choice, the middle dot of
// names from other languages.
func realNameProblem(s string) string {
	chinese := false
	for _, r := range s {
		if !unicode.Is(unicode.Han, r) && r != '·' {
			return "姓名仅支持中文！"
		}
		chinese = chinese || r != '·'
	}
	if !chinese {
		return "姓名仅支持中文！"
	}
	return ""
}

// openTask opens an account. Nobody is refused a second one: the only thing
// known to be unique at the platform is the e-mail address.
type openTask struct {
	*submission
	details *details // typed on the page; nil when nobody was asked
}

func (t *openTask) consent() consent {
	// That IPS texts at openings, the usage guide says; its words are our choice.
	text := fmt.Sprintf("【环迅支付】您正在%s申请开通资金托管账户，请在%d分钟内完成确认。如非本人操作，请忽略本短信。", t.merchant.Name, openingTime/time.Minute)
	return consent{page: PageAccount, time: openingTime, text: text, lines: []Line{
		{Label: "真实姓名", Value: t.get("pRealName")},
		{Label: "证件号码", Value: MaskMiddle(t.get("pIdentNo"))},
		{Label: "手机号", Value: MaskMiddle(t.get("pMobileNo"))},
		{Label: "登录邮箱", Value: t.get("pEmail")},
	}}
}

func (t *openTask) fill(d *details) { t.details = d }
func (t *openTask) late() given     { return given{"pStatus": openingTimedOut} }
func (t *openTask) person() *account {
	return &account{realName: t.get("pRealName"), mobile: t.get("pMobileNo")}
}

func (t *openTask) check(e *Engine) *refusal {
	if e.emails[strings.ToLower(t.get("pEmail"))] != nil {
		return t.refuse("MG01011F")
	}
	return nil
}

func (t *openTask) do(e *Engine, o *order) (result, *refusal) {
	e.numbers.Account++
	n := e.numbers.Account
	a := t.person()
	a.number, a.merchant = fmt.Sprintf("402%013d", 1_000_000_000_000+n), o.merchant
	a.identNo, a.email, a.mandate, a.openedAt = t.get("pIdentNo"), t.get("pEmail"), !o.merchant.NoMandate, e.now
	d := t.details
	if d == nil {
		d = &details{
			login: hashPassword("a" + AutoPassword), trade: hashPassword(AutoPassword),
			question: "我的出生地是哪里", answer: hashPassword("北京"), bank: "中国工商银行", cardTail: fmt.Sprintf("%04d", n%10000),
		}
	}
	a.login, a.password, a.question, a.answer, a.bank, a.cardTail = d.login, d.trade, d.question, d.answer, d.bank, d.cardTail
	if err := e.books.Open(a.number); err != nil {
		return result{}, t.refuse(codeFailed)
	}
	e.accounts[a.number] = a
	a.place = len(e.accountList)
	e.accountList = append(e.accountList, a)
	e.emails[strings.ToLower(a.email)] = a
	o.account = a.number
	e.tell(o, a, fmt.Sprintf("【环迅支付】您在%s的资金托管账户%s已开通，绑定%s尾号%s的银行卡。", o.merchant.Name, a.number, a.bank, a.cardTail))
	res := o.done(given{
		"pStatus": openingDone, "pBankName": a.bank, "pBkAccName": a.realName, "pBkAccNo": a.cardTail,
		"pCardStatus": "Y", "pPhStatus": "Y", "pIpsAcctNo": a.number, "pIpsAcctDate": wireDate(e.now),
	})
	res.now.Text, res.final.Text = openedText, openedText
	return res, nil
}
