package engine

import (
	"fmt"
	"time"
)

// What validity and term units say.
const (
	inDays    = "D"
	inMonths  = "M"
	openEnded = "N"
)

// validity turns a count of days or months into the moment when it is over:
// the end of that day in China. The day of signing does not count.
func validity(now time.Time, unit string, n int64) time.Time {
	if unit == inMonths {
		return monthsLater(now, int(n)).AddDate(0, 0, 1)
	}
	return monthsLater(now, 0).AddDate(0, 0, int(n)+1)
}

// validityOK keeps to the longest validity: 365 days or 12 months.
func validityOK(unit string, n int64) bool {
	return n >= 1 && (unit == inDays && n <= 365 || unit == inMonths && n <= 12)
}

// autoBidOperation is 4.7 自动投标签约.
func autoBidOperation() *operation {
	quota := func(name, label string) field {
		return field{name: name, label: label, rule: amount(yuan, maxAmount, "必须不小于1.00，最多两位小数")}
	}
	rates := func(name, label string) field {
		return field{name: name, label: label, rule: rate(100, 1000_00, "必须不小于1.00，最多两位小数")}
	}
	fields := []field{merBillNo(), date("pSigningDate", "签约日期")}
	fields = append(fields, person("pIpsAcctNo")...)
	fields = append(fields,
		field{name: "pValidType", label: "有效期类型", rule: oneOf(inDays, inMonths)},
		field{name: "pValidDate", label: "有效期", rule: integer(1, 365)},
		field{name: "pTrdCycleType", label: "借款期限类型", rule: oneOf(inDays, inMonths)},
		field{name: "pSTrdCycleValue", label: "借款期限起", rule: integer(1, maxDays)},
		field{name: "pETrdCycleValue", label: "借款期限止", rule: integer(1, maxDays)},
		quota("pSAmtQuota", "借款额度起"), quota("pEAmtQuota", "借款额度止"),
		rates("pSIRQuota", "利率限额起"), rates("pEIRQuota", "利率限额止"),
	)
	return &operation{
		name: "AutoNewSigning", title: "自动投标签约", number: "06", trade: "06", redirect: true, fields: request(true, fields...),
		response: response("pMerBillNo", "pSigningDate", "pP2PBillNo", "pIpsAuthNo", "pValidDate",
			"pSAmtQuota", "pEAmtQuota", "pSIRQuota", "pEIRQuota", "pIpsTime"),
		// In the answer pValidDate is a date, which a failed order has not.
		failed: given{"pValidDate": ""},
		plan:   planAutoBid,
	}
}

func planAutoBid(e *Engine, s *submission) (task, *refusal) {
	c := &contract{
		merchant: s.merchant, account: e.account(s.merchant, s.get("pIpsAcctNo")), termUnit: s.get("pTrdCycleType"),
		termFrom: s.number("pSTrdCycleValue"), termTo: s.number("pETrdCycleValue"),
		amountFrom: s.fen("pSAmtQuota"), amountTo: s.fen("pEAmtQuota"),
	}
	c.rateFrom, _ = ParseDecimal(s.get("pSIRQuota"), 3)
	c.rateTo, _ = ParseDecimal(s.get("pEIRQuota"), 3)
	switch {
	case !validityOK(s.get("pValidType"), s.number("pValidDate")):
		return nil, s.refuse("MG06022F", s.get("pValidDate"))
	case c.termUnit == inMonths && (c.termFrom > maxMonths || c.termTo > maxMonths):
		return nil, s.refuse("MG06023F", s.get("pSTrdCycleValue"), s.get("pETrdCycleValue"))
	case !c.account.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, s.refuse("MG06020F", s.get("pIpsAcctNo"))
	}
	return &contractTask{s, c}, nil
}

// autoRepayOperation is 4.8 自动还款签约.
func autoRepayOperation() *operation {
	fields := []field{
		merBillNo(), date("pSigningDate", "签约日期"),
		{name: "pIdentType", label: "证件类型", rule: oneOf("1")},
	}
	fields = append(fields, person("pIpsAcctNo")...)
	fields = append(fields,
		field{name: "pValidType", label: "有效期类型", rule: oneOf(inDays, inMonths, openEnded)},
		// Empty only when the contract is open-ended: see planAutoRepay.
		field{name: "pValidDate", label: "有效期", rule: integer(0, 365), optional: true},
	)
	return &operation{
		name: "RepaymentSigning", title: "自动还款签约", number: "07", trade: "07", redirect: true, fields: request(true, fields...),
		response: response("pMerBillNo", "pSigningDate", "pIdentType", "pIdentNo", "pRealName", "pIpsAcctNo",
			"pP2PBillNo", "pIpsAuthNo", "pIpsTime"),
		plan: planAutoRepay,
	}
}

func planAutoRepay(e *Engine, s *submission) (task, *refusal) {
	unit, n := s.get("pValidType"), s.number("pValidDate")
	c := &contract{merchant: s.merchant, account: e.account(s.merchant, s.get("pIpsAcctNo")), repay: true}
	switch {
	case unit != openEnded && s.get("pValidDate") == "":
		return nil, s.op.missing("pValidDate", "有效期")
	case unit != openEnded && !validityOK(unit, n):
		return nil, s.refuse("MG07022F", s.get("pValidDate"))
	case !c.account.is(s.get("pIdentNo"), s.get("pRealName")):
		return nil, s.refuse("MG07020F", s.get("pIpsAcctNo"))
	}
	return &contractTask{s, c}, nil
}

// contractTask signs a contract. Earlier contracts of the same user stay valid
// beside it (our choice). Its validity begins when the user signs.
type contractTask struct {
	*submission
	contract *contract
}

func (t *contractTask) consent() consent {
	c := t.contract
	lines := []Line{
		{Label: "姓名", Value: maskName(c.account.realName)},
		{Label: "账号", Value: c.account.number},
		{Label: "有效期", Value: validityText(t.get("pValidType"), t.number("pValidDate")), Term: true},
	}
	if !c.repay {
		unit := map[string]string{inDays: "天", inMonths: "个月"}[c.termUnit]
		lines = append(lines,
			Line{Label: "借款期限", Value: fmt.Sprintf("%d至%d%s", c.termFrom, c.termTo, unit), Term: true},
			Line{Label: "借款额度起", Value: formatFen(c.amountFrom), Money: true},
			Line{Label: "借款额度止", Value: formatFen(c.amountTo), Money: true},
			Line{Label: "年利率", Value: formatFen(c.rateFrom) + "%至" + formatFen(c.rateTo) + "%", Term: true},
		)
	}
	return consent{page: PagePassword, from: c.account, lines: lines}
}

func validityText(unit string, n int64) string {
	switch unit {
	case inDays:
		return fmt.Sprintf("%d天", n)
	case inMonths:
		return fmt.Sprintf("%d个月", n)
	}
	return "长期有效"
}

func (t *contractTask) check(*Engine) *refusal { return nil }

func (t *contractTask) do(e *Engine, o *order) (result, *refusal) {
	c := t.contract
	e.numbers.Contract++
	c.authNo = fmt.Sprintf("AUT%s%06d", wireDate(e.now), e.numbers.Contract)
	if unit := t.get("pValidType"); unit != openEnded {
		c.until = validity(e.now, unit, t.number("pValidDate"))
	}
	e.contracts[c.authNo] = c
	prefix := "ANS"
	if c.repay {
		prefix = "RPS"
	}
	o.billNo = e.bill(prefix, 6)
	g := given{"pP2PBillNo": o.billNo, "pIpsAuthNo": c.authNo, "pIpsTime": o.merchant.stamp(e.now)}
	if !c.repay {
		g["pValidDate"] = c.lastDay()
	}
	return o.done(g), nil
}
