package engine

import (
	"fmt"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// What pOperationType says.
const (
	addBid = "1"
	endBid = "2"
)

// What pTrdCycleType says, and the longest terms: five years.
const (
	termDays   = "1"
	termMonths = "3"
	maxDays    = 1800
	maxMonths  = 60
)

// bid finds a bid of the merchant; another merchant's does not exist for it,
// and neither does one that failed to come about.
func (e *Engine) bid(m *merchant, no string) *bid {
	b := e.bids[bidKey{m.code(), no}]
	if b == nil || b.status == bidFailed {
		return nil
	}
	return b
}

// bidOperation is 4.3 标的登记, and the end of a bid.
func bidOperation() *operation {
	regDate := date("pRegDate", "商户日期")
	regDate.code = "MG02002F"
	fields := []field{
		merBillNo(), bidNo(), regDate,
		{name: "pLendAmt", label: "借款金额", rule: amount(1, maxBid, "必须大于0且不超过100000000.00，最多两位小数")},
		{name: "pGuaranteesAmt", label: "借款保证金", rule: amount(0, maxBid, "必须不小于0且不超过100000000.00，最多两位小数")},
		{name: "pTrdLendRate", label: "借款利率", rule: rate(0, 4800, "必须不小于0且小于48.00，最多两位小数")},
		{name: "pTrdCycleType", label: "借款周期类型", rule: oneOf(termDays, termMonths)},
		{name: "pTrdCycleValue", label: "借款周期值", rule: integer(1, maxDays)},
		{name: "pLendPurpose", label: "借款用途", rule: text(100)},
		{name: "pRepayMode", label: "还款方式", rule: oneOf("1", "2", "3", "99")},
		{name: "pOperationType", label: "标的操作类型", rule: oneOf(addBid, endBid)},
		{name: "pLendFee", label: "借款人手续费", rule: notNegative()},
		{name: "pAcctType", label: "账户类型", rule: oneOf("1"), closed: "0"},
	}
	fields = request(true, append(fields, person("pIpsAcctNo")...)...)
	return &operation{
		name: "registerSubject", title: "登记标的", number: "02", trade: "02", redirect: true, fields: fields,
		response: echo(fields, "pIpsBillNo", "pIpsTime", "pBidStatus", "pRealFreezenAmt"),
		endTitle: "结束标的",
		failed:   given{"pBidStatus": bidFailed, "pRealFreezenAmt": "0.00"},
		isEnd:    func(msg Message) bool { return msg.Get("pOperationType") == endBid },
		plan: func(e *Engine, s *submission) (task, *refusal) {
			if s.get("pOperationType") == endBid {
				return planEnd(e, s)
			}
			return planBid(e, s)
		},
	}
}

func planBid(e *Engine, s *submission) (task, *refusal) {
	b := &bid{
		merchant: s.merchant, no: s.get("pBidNo"), order: s.get("pMerBillNo"), status: bidRegistered,
		amount: s.fen("pLendAmt"), margin: s.fen("pGuaranteesAmt"), fee: s.fen("pLendFee"),
		termUnit: s.get("pTrdCycleType"), term: s.number("pTrdCycleValue"), guarantors: make(map[string]*guarantee),
	}
	b.rate, _ = ParseDecimal(s.get("pTrdLendRate"), 3)
	switch {
	case b.termUnit == termMonths && b.term > maxMonths:
		return nil, s.refuse("MG02052F", s.get("pTrdCycleValue"))
	case tooOld(s.get("pRegDate"), e.now):
		return nil, s.refuse("MG02002F").ofShape() // so its text says
	case e.bid(s.merchant, b.no) != nil, e.oldBids[bidKey{s.merchant.code(), b.no}] != nil:
		return nil, s.refuse("MG02008F", b.no, s.merchant.code())
	}
	b.borrower = e.account(s.merchant, s.get("pIpsAcctNo"))
	if !b.borrower.is(s.get("pIdentNo"), s.get("pRealName")) {
		return nil, s.refuse("MG02013F", s.get("pIpsAcctNo"))
	}
	return &bidTask{s, b}, nil
}

// oldestDays is how many days old the date of a registration may be. The
// platform took one that was one day old and refused those of four; where the
// border lies between is our choice, as is that dates to come are taken. The
// end of a bid takes any date.
const oldestDays = 3

func tooOld(date string, now time.Time) bool {
	day, _ := time.ParseInLocation(dateLayout, date, China)
	return day.Before(monthsLater(now, 0).AddDate(0, 0, -oldestDays))
}

// bidTask registers a bid. The bid is there as soon as the order is taken; the
// borrower's yes opens it.
type bidTask struct {
	*submission
	bid *bid
}

func (t *bidTask) start(e *Engine, o *order) {
	b := t.bid
	b.billNo = e.bill("BID", 6)
	o.billNo = b.billNo
	o.known = given{"pIpsBillNo": b.billNo, "pIpsTime": o.merchant.stamp(e.now)}
	e.bids[bidKey{b.merchant.code(), b.no}] = b
	e.bidList = append(e.bidList, b)
}

func (t *bidTask) abandon(*Engine, *order) { t.bid.status = bidFailed }

func (t *bidTask) consent() consent {
	b := t.bid
	return consent{
		page: pageText, from: b.borrower,
		text: fmt.Sprintf("【环迅支付】您在%s申请的借款标的%s，金额%s元，冻结保证金%s元，同意请回复Y，30分钟内有效。",
			t.merchant.Name, b.no, formatFen(b.amount), formatFen(b.margin)),
		pending: func(o *order) Answer {
			return o.says(codeBidNew, given{
				"pIpsBillNo": b.billNo, "pIpsTime": o.known["pIpsTime"],
				"pBidStatus": bidRegistered, "pRealFreezenAmt": "0.00",
			}, nil)
		},
		declined: t.refuse("MG02504F", b.no), late: t.refuse("MG02047F"), job: true,
	}
}

func (t *bidTask) check(e *Engine) *refusal {
	if e.holds(t.bid.borrower.number) < t.bid.margin {
		return t.refuse("MG02044F")
	}
	return nil
}

func (t *bidTask) do(e *Engine, o *order) (result, *refusal) {
	b := t.bid
	var batch ledger.Batch
	freeze := batch.Freeze(b.borrower.number, b.margin, "冻结借款保证金")
	if r := e.post(o, b.no, &batch); r != nil {
		return result{}, r
	}
	b.marginFreeze = freeze
	b.status = bidRaising
	return result{final: o.says(codeBidRaising, given{
		"pIpsBillNo": b.billNo, "pIpsTime": o.merchant.stamp(e.now),
		"pBidStatus": bidRaising, "pRealFreezenAmt": formatFen(freeze.Left()),
	}, nil)}, nil
}

// planEnd finds the bid that is to end. Only what identifies it counts; the
// other fields say what they said at its registration, or do not matter (our
// choice).
func planEnd(e *Engine, s *submission) (task, *refusal) {
	b := e.bids[bidKey{s.merchant.code(), s.get("pBidNo")}]
	if b == nil {
		return nil, s.refuse("MG02027F", s.get("pBidNo"))
	}
	if b.order != s.get("pMerBillNo") {
		return nil, s.refuse("MG02053F", s.get("pMerBillNo"))
	}
	if b.borrower.number != s.get("pIpsAcctNo") || !b.borrower.is(s.get("pIdentNo"), s.get("pRealName")) {
		return nil, s.refuse("MG02013F", s.get("pIpsAcctNo"))
	}
	return &endTask{s, b}, nil
}

// endTask ends a bid on which nothing is owed any more, and gives everybody back
// what is still frozen for it: what was never released, sales that were never
// carried out, and all margins.
// A borrower's debt to a guarantor outlives the bid: it can be repaid by a
// transfer afterwards.
type endTask struct {
	*submission
	bid *bid
}

func (t *endTask) consent() consent { return consent{} }

func (t *endTask) check(*Engine) *refusal {
	switch t.bid.status {
	case bidEnded, bidEnding:
		return t.refuse("MG02030F", t.bid.no)
	case bidFailed:
		return t.refuse("MG02504F", t.bid.no)
	case bidRegistered:
		return t.refuse("MG02054F", t.bid.no)
	}
	for _, c := range t.bid.claims {
		if c.state == claimReleased && c.outstanding() > 0 {
			return t.refuse("MG02055F", t.bid.no, c.order)
		}
	}
	return nil
}

func (t *endTask) do(e *Engine, o *order) (result, *refusal) {
	b := t.bid
	var batch ledger.Batch
	free := func(f *ledger.Freeze, text string) {
		batch.Release(f, available(f.Account()), f.Left(), text)
	}
	for _, c := range b.claims {
		free(c.freeze, "标的结束，解冻投标资金")
	}
	for _, d := range b.debts {
		free(d.freeze, "标的结束，解冻受让资金")
	}
	for _, g := range b.guarantees {
		free(g.freeze, "标的结束，解冻担保方保证金")
	}
	margin := b.marginFreeze.Left()
	free(b.marginFreeze, "标的结束，解冻借款保证金")
	if r := e.post(o, b.no, &batch); r != nil {
		return result{}, r
	}
	for _, c := range b.claims {
		if c.state == claimFrozen {
			b.raised -= c.amount
		}
		c.state = claimEnded
	}
	for _, d := range b.debts {
		d.fail()
	}
	for _, g := range b.guarantees {
		g.ended = true
	}
	b.status = bidEnded
	o.billNo = b.billNo
	g := given{"pIpsBillNo": b.billNo, "pIpsTime": o.merchant.stamp(e.now), "pBidStatus": bidEnding, "pRealFreezenAmt": formatFen(margin)}
	now := o.says(codeBidEnding, g, nil)
	g["pBidStatus"], g["pRealFreezenAmt"] = bidEnded, "0.00"
	return result{now: now, final: o.says(codeBidEnded, g, nil)}, nil
}
