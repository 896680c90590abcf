package engine

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

func (e *Engine) examineOldBid(merchant string, b *OldBid) error {
	if err := e.examineMerchant(merchant); err != nil {
		return err
	}
	switch {
	case b == nil:
		return Wrong("engine: OldBid: missing", "没有老标的的内容")
	case !alnum(30).ok(b.BidNo) || b.BidNo == "":
		return Wrong("engine: OldBid.BidNo: must be 1 to 30 letters and digits, is %q", "标的号须为 1 至 30 位字母或数字，现为 %q", b.BidNo)
	case !utf8.ValidString(b.ContractNo) || !utf8.ValidString(b.Release):
		return Wrong("engine: OldBid: not UTF-8", "内容不是 UTF-8")
	case e.oldBids[bidKey{merchant, b.BidNo}] != nil || e.bid(e.merchants[merchant], b.BidNo) != nil:
		return Wrong("engine: OldBid.BidNo: %q is taken", "标的号 %q 已被使用", b.BidNo)
	case len(b.Owed) == 0:
		return Wrong("engine: OldBid.Owed: nobody is owed anything", "没有任何待收金额")
	}
	if err := e.examineAccount(merchant, b.Borrower); err != nil {
		return err
	}
	seen := map[string]bool{b.Borrower: true}
	for _, c := range b.Owed {
		if err := e.examineAccount(merchant, c.Account); err != nil {
			return err
		}
		if seen[c.Account] || c.Amount <= 0 || c.Amount > maxAmount {
			return Wrong("engine: OldBid.Owed: %q must stand there once, not be the borrower, and be owed 1 to %d fen",
				"投资人 %q 只能出现一次，不能是借款人，金额须为 1 至 %d 分", c.Account, int64(maxAmount))
		}
		seen[c.Account] = true
	}
	return nil
}

func (e *Engine) seedOldBid(merchant string, b *OldBid) {
	old := &oldBid{no: b.BidNo, contract: b.ContractNo, release: b.Release, borrower: e.accounts[b.Borrower], owed: make(map[string]int64)}
	for _, c := range b.Owed {
		old.investors = append(old.investors, c.Account)
		old.owed[c.Account] = c.Amount
	}
	key := bidKey{merchant, b.BidNo}
	e.oldBids[key] = old
	e.oldBidList = append(e.oldBidList, key)
}

// OldBid is an old bid as it stands now.
func (e *Engine) OldBid(merchant, no string) (OldBid, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.oldBids[bidKey{merchant, no}]
	if old == nil {
		return OldBid{}, false
	}
	return old.info(), true
}

func (b *oldBid) info() OldBid {
	info := OldBid{BidNo: b.no, ContractNo: b.contract, Release: b.release, Borrower: b.borrower.number}
	for _, account := range b.investors {
		info.Owed = append(info.Owed, OldClaim{account, b.owed[account]})
	}
	return info
}

// oldRepaymentOperation is repaymentTrade.aspx, the one part of the old
// interface that stays in use after v2.0 is connected: old bids can only be
// repaid through it. Its fields are known from merchants' programs; what it
// refuses, and with which codes, is our choice.
func oldRepaymentOperation() *operation {
	return &operation{
		name: "repaymentTrade", title: "老版还款", number: "20", redirect: true, maxRows: 300,
		fields: request(true,
			bidNo(),
			field{name: "pContractNo", label: "合同号", rule: alnum(30)},
			date("pRepaymentDate", "还款日期"), merBillNo(),
			field{name: "pMerchantBillNo", label: "放款商户订单号", rule: orderNo()},
			field{name: "pFAcctType", label: "转出方账户类型", rule: oneOf("1"), closed: "0"},
			field{name: "pFIdentNo", label: "转出方证件号码", rule: text(20), mask: MaskMiddle},
			field{name: "pFRealName", label: "转出方真实姓名", rule: text(30), mask: maskName},
			field{name: "pFIpsAcctNo", label: "转出方账号", rule: text(30)},
			field{name: "pFTrdFee", label: "转出方手续费", rule: notNegative()},
			field{name: "pFTrdAmt", label: "转出方总金额", rule: positive()},
		),
		rows: []field{
			{name: "pTAcctType", label: "转入方账户类型", rule: oneOf("1"), closed: "0"},
			{name: "pTIpsAcctNo", label: "转入方账号", rule: text(30)},
			{name: "pTTrdFee", label: "转入方手续费", rule: notNegative()},
			{name: "pTTrdAmt", label: "转入金额", rule: positive()},
		},
		response: response("pBidNo", "pContractNo", "pRepaymentDate", "pMerBillNo", "pMerchantBillNo", "pIpsBillNo", "pDetails"),
		plan:     planOldRepayment,
	}
}

func planOldRepayment(e *Engine, s *submission) (task, *refusal) {
	b := e.oldBids[bidKey{s.merchant.code(), s.get("pBidNo")}]
	switch {
	case b == nil:
		return nil, s.refuse("MG20020F", s.get("pBidNo"))
	case b.borrower.number != s.get("pFIpsAcctNo"), !b.borrower.is(s.get("pFIdentNo"), s.get("pFRealName")):
		return nil, s.refuse("MG20022F", s.get("pFIpsAcctNo"))
	}
	t := &oldRepaymentTask{submission: s, bid: b}
	for i, row := range s.msg.rows("pDetails") {
		amount := row.fen("pTTrdAmt")
		if amount <= row.fen("pTTrdFee") {
			return nil, s.refuse("MG20024F", fmt.Sprint(i+1), formatFen(amount))
		}
		t.amount += amount
	}
	if t.amount != s.fen("pFTrdAmt") {
		return nil, s.refuse("MG20023F", s.get("pFTrdAmt"), formatFen(t.amount))
	}
	return t, nil
}

// oldRepaymentTask pays the investors of an old bid.
type oldRepaymentTask struct {
	*submission
	bid    *oldBid
	amount int64
}

func (t *oldRepaymentTask) consent() consent {
	return repays(t.bid.no, t.bid.borrower, len(t.msg.rows("pDetails")), t.amount, t.fen("pFTrdFee"))
}

func (t *oldRepaymentTask) check(e *Engine) *refusal {
	if e.holds(t.bid.borrower.number) < t.amount+t.fen("pFTrdFee") {
		return t.refuse("MG20025F", t.bid.borrower.number)
	}
	return nil
}

func (t *oldRepaymentTask) do(e *Engine, o *order) (result, *refusal) {
	o.billNo = e.bill("OLD", 8)
	rows, paid := t.msg.rows("pDetails"), false
	refusals, failed := t.rows(o, len(rows), func(i int) *refusal {
		r := t.doRow(e, o, rows[i], !paid)
		paid = paid || r == nil
		return r
	})
	answers := make([]Message, len(rows))
	for i, row := range rows {
		answers[i] = append(slices.Clone(row), rowFate(refusals[i])...)
	}
	answer := o.says(codeOldDone, given{"pIpsBillNo": o.billNo}, answers)
	if failed {
		answer = t.allFailed(answer, "MG20044F", o.key.bill)
	}
	return result{now: answer, final: answer, refused: failed}, nil
}

// doRow pays one investor. The borrower's fee goes with the first row that
// succeeds, so that it is taken once and only if anything was repaid.
func (t *oldRepaymentTask) doRow(e *Engine, o *order, row Message, first bool) *refusal {
	to, amount := row.Get("pTIpsAcctNo"), row.fen("pTTrdAmt")
	owed, known := t.bid.owed[to]
	if !known {
		return t.refuse("MG20030F", to)
	}
	borrower, mine := available(t.bid.borrower.number), available(t.merchant.code())
	var batch ledger.Batch
	batch.Move(borrower, available(to), amount, "老版还款")
	batch.Move(available(to), mine, row.fen("pTTrdFee"), "老版还款投资人手续费")
	if first {
		batch.Move(borrower, mine, t.fen("pFTrdFee"), "老版还款借款人手续费")
	}
	if r := e.post(o, t.bid.no, &batch); r != nil {
		return r
	}
	t.bid.owed[to] = max(0, owed-amount)
	return nil
}
