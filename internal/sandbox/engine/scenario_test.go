package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

func TestOpenAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out := w.ok(w.submit("CreateNewIpsAcct", opening("A1", zhang)), "MG00000F")
	assert.Equal(t, "http://shop.example.com/return?a=1&b=2", out.ReturnURL)
	assert.Equal(t, engine.Message{
		{Name: "pStatus", Value: "10"},
		{Name: "pMerBillNo", Value: "A1"},
		{Name: "pSmDate", Value: "20141124"},
		{Name: "pEmail", Value: zhang.email},
		{Name: "pIdentNo", Value: zhang.ident},
		{Name: "pRealName", Value: "张三"},
		{Name: "pMobileNo", Value: zhang.mobile},
		{Name: "pBankName", Value: "中国工商银行"},
		{Name: "pBkAccName", Value: "张三"},
		{Name: "pBkAccNo", Value: "0001"},
		{Name: "pCardStatus", Value: "Y"},
		{Name: "pPhStatus", Value: "Y"},
		{Name: "pIpsAcctNo", Value: "4021000000000001"},
		{Name: "pIpsAcctDate", Value: "20141124"},
		{Name: "pMemo1", Value: "备注<一>"},
		{Name: "pMemo2"},
		{Name: "pMemo3"},
	}, out.Answer.Body)
	n := w.notice(out, "MG00000F")
	assert.Equal(t, out.Answer, n.Answer)
	assert.Equal(t, "http://shop.example.com/notify", n.URL)
	assert.Equal(t, int64(1), n.Seq)

	p, ok := w.e.Account(merchant, zhang.account)
	require.True(t, ok)
	assert.True(t, p.Mandate)
	assert.Equal(t, zhang.email, p.Email)
}

func TestOpenAccountFailureEmptiesWhatItHasNot(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	out := w.ok(w.submit("CreateNewIpsAcct", opening("A9", zhang)), "MG01011F")
	assert.Equal(t, "9", out.Answer.Body.Get("pStatus"))
	assert.Empty(t, out.Answer.Body.Get("pIpsAcctNo"))
	assert.Empty(t, out.Answer.Body.Get("pBkAccNo"))
	assert.Equal(t, "A9", out.Answer.Body.Get("pMerBillNo"))
	assert.Equal(t, out.Answer, w.notice(out, "MG01011F").Answer)
}

// The answers of each operation have exactly the fields of the manual.
func TestAnswersHaveTheirFieldsInWireOrder(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	memo := " pMemo1 pMemo2 pMemo3"
	bid := w.submit("registerSubject", bidding("B1", "B1", "1000.00", "100.00"))
	echo := "pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType pTrdCycleValue pLendPurpose " +
		"pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo pWebUrl pS2SUrl" + memo
	assert.Equal(t, echo+" pIpsBillNo pIpsTime pBidStatus pRealFreezenAmt", names(bid.Answer.Body))
	assert.Equal(t, names(bid.Answer.Body), names(w.notice(bid, "MG02501F").Answer.Body))

	creditor := w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "6.00"))
	assert.Equal(t, "pMerBillNo pMerDate pBidNo pContractNo pAuthAmt pTrdAmt pFee pAccount pAccountDealNo pBidDealNo "+
		"pBusiType pTransferAmt pStatus pP2PBillNo pIpsTime"+memo, names(creditor.Answer.Body))

	guarantor := w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "800.00", "50.00", "5.00"))
	assert.Equal(t, "pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pAccountName pAccount pP2PBillNo "+
		"pRealFreezeAmt pCompenAmt pIpsTime pStatus"+memo, names(guarantor.Answer.Body))

	transfer := w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "600.00", li.account, "6.00", zhang.account, "12.00")))
	head := "pMerBillNo pBidNo pDate pTransferType pTransferMode pIpsBillNo pIpsTime"
	assert.Equal(t, head+memo, names(transfer.Answer.Body))
	final := w.notice(transfer, "MG00000F").Answer
	assert.Equal(t, head+" pDetails"+memo, names(final.Body))
	assert.Equal(t, "pOriMerBillNo pTrdAmt pFAccType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee pIpsDetailBillNo "+
		"pIpsDetailTime pIpsFee pStatus pMessage", names(rowsOf(final)[0]))

	debt := w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "100.00", "100.00", "2"))
	assert.Equal(t, "pMerBillNo pMerDate pBidNo pContractNo pFromAccountType pFromName pFromAccount pFromIdentType pFromIdentNo "+
		"pToAccountType pToAccountName pToAccount pToIdentType pToIdentNo pCreMerBillNo pCretAmt pPayAmt pFromFee pToFee pCretType "+
		"pWebUrl pS2SUrl"+memo+" pP2PBillNo pIpsTime pBussType pStatus", names(debt.Answer.Body))

	auto := w.submit("AutoNewSigning", signing("S1", li))
	assert.Equal(t, "pMerBillNo pSigningDate pP2PBillNo pIpsAuthNo pValidDate pSAmtQuota pEAmtQuota pSIRQuota pEIRQuota pIpsTime"+memo,
		names(auto.Answer.Body))
	assert.Equal(t, "20150524", auto.Answer.Body.Get("pValidDate"))

	repay := w.submit("RepaymentSigning", repaySigning("S2", zhang))
	assert.Equal(t, "pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pP2PBillNo pIpsAuthNo pIpsTime"+memo,
		names(repay.Answer.Body))

	recharge := w.submit("doDpTrade", recharging("R1", li, "100.00"))
	assert.Equal(t, "pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pTrdBnkCode pIpsBillNo"+memo,
		names(recharge.Answer.Body))

	repayment := w.submit("RepaymentNewTrade", repaying("P1", "B1", "10.00", "0.00", repayRow("C1", li.account, "10.00", "0.00", "0.00")))
	head = "pBidNo pRepaymentDate pMerBillNo pIpsBillNo pIpsDate pOutIpsFee"
	assert.Equal(t, head+memo, names(repayment.Answer.Body))
	final = w.notice(repayment, "MG00000F").Answer
	assert.Equal(t, head+" pDetails"+memo, names(final.Body))
	assert.Equal(t, "pCreMerBillNo pInAcctNo pInFee pStatus pMessage", names(rowsOf(final)[0]))

	unfreeze := w.submit("GuaranteeUnfreeze", unfreezing("U1", "B1", "1", zhang, "1.00"))
	assert.Equal(t, "pMerBillNo pBidNo pUnfreezeDate pUnfreezeAmt pUnfreezenType pAcctType pIdentNo pRealName pIpsAcctNo pS2SUrl"+
		memo+" pIpsBillNo pIpsTime", names(unfreeze.Answer.Body))

	holding := w.submit("CoDpTrade", withholding("W1", zhang, "50.00"))
	assert.Equal(t, "pMerBillNo pTrdDate pTrdAmt pMerFee pIpsFeeType pAcctType pIdentNo pRealName pIpsAcctNo pS2SUrl"+
		memo+" pIpsBillNo pIpsTime pTrdRealAmt pIpsFee pTrdBnkCode", names(holding.Answer.Body))

	withdrawal := w.submit("doDwTrade", withdrawing("X1", li, "10.00"))
	assert.Equal(t, "pMerBillNo pAcctType pOutType pBidNo pContractNo pDwTo pIdentNo pRealName pIpsAcctNo pDwDate pTrdAmt pIpsBillNo"+memo,
		names(withdrawal.Answer.Body))
}

func TestNumbersAreShapedLikeThePlatforms(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	assert.Regexp(t, `^BID20141124\d{6}$`, w.submit("registerSubject", bidding("B1", "B1", "1000.00", "0.00")).Answer.Body.Get("pIpsBillNo"))
	c := w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00")).Answer.Body
	assert.Regexp(t, `^CRE20141124\d{6}$`, c.Get("pAccountDealNo"))
	assert.Regexp(t, `^TND20141124\d{6}$`, c.Get("pP2PBillNo"))
	assert.Equal(t, w.bid("B1").IPSBillNo, c.Get("pBidDealNo"))
	assert.Equal(t, "20141124120000", c.Get("pIpsTime"))
	assert.Regexp(t, `^NT20141124\d{8}$`, w.submit("doDpTrade", recharging("R1", li, "100.00")).Answer.Body.Get("pIpsBillNo"))
	assert.Regexp(t, `^WD20141124\d{8}$`, w.submit("doDwTrade", withdrawing("X1", li, "10.00")).Answer.Body.Get("pIpsBillNo"))
	assert.Regexp(t, `^20141124\d{3}$`, w.submit("Transfer", transferring("T1", "B1", "1",
		transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00"))).Answer.Body.Get("pIpsBillNo"))
	assert.Regexp(t, `^CRY20141124\d{8}$`, w.submit("RepaymentNewTrade", repaying("P1", "B1", "10.00", "0.00",
		repayRow("C1", li.account, "10.00", "0.00", "0.00"))).Answer.Body.Get("pIpsBillNo"))
}

// A bid from its registration to its end, with every fen followed.
func TestLifeOfABid(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	assert.Equal(t, engine.Balance{Available: 9_900_00, Frozen: 100_00}, w.balance(zhang.account))
	assert.Equal(t, "2", w.bid("B1").Status)

	w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "6.00")), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 9_394_00, Frozen: 606_00}, w.balance(li.account))
	w.ok(w.submit("registerCreditor", investing("C2", "B1", zhao, "400.00", "4.00")), "MG00000F")
	w.ok(w.submit("registerCreditor", investing("C3", "B1", wang, "0.01", "0.00")), "MG03119F")

	out := w.ok(w.submit("Transfer", transferring("T1", "B1", "1",
		transferRow("C1", "600.00", li.account, "5.00", zhang.account, "12.00"),
		transferRow("C2", "400.00", zhao.account, "4.00", zhang.account, "8.00"))), "MG00008F")
	for _, row := range rowsOf(w.notice(out, "MG00000F").Answer) {
		assert.Equal(t, "Y", row.Get("pStatus"))
		assert.Empty(t, row.Get("pMessage"))
	}
	assert.Equal(t, engine.Balance{Available: 9_395_00}, w.balance(li.account), "one yuan of the fee comes back")
	assert.Equal(t, engine.Balance{Available: 10_880_00, Frozen: 100_00}, w.balance(zhang.account))
	assert.Equal(t, engine.Balance{Available: 1_029_00}, w.balance(merchant))
	b := w.bid("B1")
	assert.Equal(t, "3", b.Status)
	assert.Equal(t, int64(1_000_00), b.Released)
	assert.Equal(t, int64(20_00), b.FeeTaken)

	end := with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")
	w.ok(w.submit("registerSubject", end), "MG02055F")

	out = w.ok(w.submit("RepaymentNewTrade", repaying("P1", "B1", "1100.00", "3.00",
		repayRow("C1", li.account, "660.00", "6.00", "2.00"),
		repayRow("C2", zhao.account, "440.00", "4.00", "1.00"))), "MG00008F")
	assert.Equal(t, "0.00", out.Answer.Body.Get("pOutIpsFee"))
	for _, row := range rowsOf(w.notice(out, "MG00000F").Answer) {
		assert.Equal(t, "Y", row.Get("pStatus"), row.Get("pMessage"))
	}
	assert.Equal(t, engine.Balance{Available: 9_395_00 + 654_00}, w.balance(li.account))
	assert.Equal(t, engine.Balance{Available: 9_777_00, Frozen: 100_00}, w.balance(zhang.account))
	assert.Equal(t, engine.Balance{Available: 1_042_00}, w.balance(merchant))

	out = w.ok(w.submit("registerSubject", end), "MG02503F")
	assert.Equal(t, "8", out.Answer.Body.Get("pBidStatus"))
	n := w.notice(out, "MG02505F")
	assert.Equal(t, "10", n.Answer.Body.Get("pBidStatus"))
	assert.Equal(t, engine.Balance{Available: 9_877_00}, w.balance(zhang.account))
	w.ok(w.submit("registerSubject", with(end, "pMemo1", "again")), "MG02030F")
	w.ok(w.submit("RepaymentNewTrade", repaying("P2", "B1", "1.00", "0.00", repayRow("C1", li.account, "1.00", "0.00", "0.00"))), "MG12021F")
}

// A bid that nobody filled gives everybody his money back.
func TestEndOfABidReleasesEveryFreeze(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "6.00")), "MG00000F")
	w.ok(w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "800.00", "50.00", "5.00")), "MG00000F")
	end := with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")
	w.notice(w.ok(w.submit("registerSubject", end), "MG02503F"), "MG02505F")
	for _, p := range []person{zhang, li, wang} {
		assert.Equal(t, engine.Balance{Available: 10_000_00}, w.balance(p.account), p.name)
	}
	b := w.bid("B1")
	assert.Equal(t, "10", b.Claims[0].Status)
	assert.True(t, b.Guarantors[0].Ended)
	assert.Zero(t, b.Raised)
}

// 随投随放: money goes out early while more people bid.
func TestReleaseWhileRaising(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.submit("registerCreditor", investing("C1", "B1", li, "300.00", "0.00"))
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "300.00", li.account, "0.00", zhang.account, "20.00")))
	assert.Equal(t, "3", w.bid("B1").Status)
	w.ok(w.submit("registerCreditor", investing("C2", "B1", li, "700.00", "0.00")), "MG00000F")
	w.ok(w.submit("registerCreditor", investing("C3", "B1", li, "0.01", "0.00")), "MG03119F")
	out := w.submit("Transfer", transferring("T2", "B1", "1", transferRow("C2", "700.00", li.account, "0.00", zhang.account, "0.01")))
	final := w.notice(out, "MG09044F").Answer
	assert.Contains(t, rowsOf(final)[0].Get("pMessage"), "MG09035F", "the registered fee was used up")
	out = w.submit("Transfer", transferring("T3", "B1", "1", transferRow("C2", "700.00", li.account, "0.00", zhang.account, "0.00")))
	w.notice(out, "MG00000F")
	assert.Equal(t, int64(1_000_00), w.bid("B1").Released)
}

// A batch succeeds in part, and a batched one books one principal and one fee.
func TestBatchedTransfer(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.submit("registerCreditor", investing("C1", "B1", li, "300.00", "3.00"))
	w.submit("registerCreditor", investing("C2", "B1", zhao, "200.00", "0.00"))
	out := w.submit("Transfer", with(transferring("T1", "B1", "1",
		transferRow("C1", "300.00", li.account, "3.00", zhang.account, "5.00"),
		transferRow("C1", "300.00", li.account, "3.00", zhang.account, "5.00"),
		transferRow("C9", "10.00", li.account, "0.00", zhang.account, "0.00"),
		transferRow("C2", "200.00", zhao.account, "0.00", zhang.account, "15.00")), "pTransferMode", "2"))
	var got []string
	for _, row := range rowsOf(w.notice(out, "MG00000F").Answer) {
		got = append(got, row.Get("pStatus"))
	}
	assert.Equal(t, []string{"Y", "N", "N", "Y"}, got)
	var borrower []int64
	for _, e := range w.journal(engine.JournalFilter{Account: zhang.account, Order: "T1"}) {
		borrower = append(borrower, e.Amount)
	}
	assert.Equal(t, []int64{500_00, 20_00}, borrower)
	assert.Equal(t, engine.Balance{Available: 9_900_00 + 480_00, Frozen: 100_00}, w.balance(zhang.account))
}

func TestCompensationAndItsRepayment(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.ok(w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "500.00", "100.00", "30.00")), "MG00000F")
	w.ok(w.submit("registerGuarantor", guaranteeing("G2", "B1", wang, "500.00", "100.00", "30.00")), "MG04003F")
	w.ok(w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00")), "MG00000F")
	w.ok(w.submit("registerCreditor", investing("C2", "B1", zhao, "400.00", "0.00")), "MG00000F")
	pay := func(no, c1, c2 string) engine.Message {
		return transferring(no, "B1", "2",
			transferRow("C1", c1, wang.account, "1.00", li.account, "0.50"),
			transferRow("C2", c2, wang.account, "1.00", zhao.account, "0.50"))
	}
	w.ok(w.submit("Transfer", pay("T0", "10.00", "10.00")), "MG09021F")
	w.submit("Transfer", transferring("T1", "B1", "1",
		transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00"),
		transferRow("C2", "400.00", zhao.account, "0.00", zhang.account, "0.00")))

	out := w.ok(w.submit("Transfer", pay("T2", "80.00", "70.00")), "MG00008F")
	w.notice(out, "MG00000F")
	assert.Equal(t, engine.Balance{Available: 9_900_00 - 50_00 - 2_00}, w.balance(wang.account), "the margin went first")
	assert.Equal(t, engine.Balance{Available: 9_400_00 + 79_50}, w.balance(li.account))
	g := w.bid("B1").Guarantors[0]
	assert.Equal(t, int64(150_00), g.Compensated)
	assert.Zero(t, g.MarginFrozen)
	assert.Equal(t, int64(520_00), w.bid("B1").Claims[0].Holdings[0].Outstanding)

	out = w.submit("Transfer", pay("T3", "350.01", "1.00"))
	final := w.notice(out, "MG00000F").Answer
	assert.Contains(t, rowsOf(final)[0].Get("pMessage"), "MG09038F", "beyond what was promised")
	assert.Equal(t, "Y", rowsOf(final)[1].Get("pStatus"))

	back := func(no, origin, amount string) engine.Message {
		return transferring(no, "B1", "3", transferRow(origin, amount, zhang.account, "0.00", wang.account, "0.00"))
	}
	out = w.ok(w.submit("Transfer", back("T4", "T2", "100.00")), "MG00000F")
	assert.Equal(t, "Y", rowsOf(out.Answer)[0].Get("pStatus"))
	assert.Equal(t, out.Answer, w.notice(out, "MG00000F").Answer)
	w.ok(w.submit("Transfer", back("T5", "T2", "50.01")), "MG09043F")
	w.ok(w.submit("Transfer", back("T6", "T9", "1.00")), "MG09030F")
	w.ok(w.submit("Transfer", back("T7", "T2", "50.00")), "MG00000F")
	w.ok(w.submit("Transfer", back("T8", "T2", "0.01")), "MG09043F")
	assert.Equal(t, int64(150_00), w.bid("B1").Guarantors[0].Reimbursed)

	profit := func(no, amount string) engine.Message {
		return transferring(no, "B1", "5", transferRow("G1", amount, zhang.account, "0.00", wang.account, "0.00"))
	}
	w.ok(w.submit("Transfer", profit("T10", "20.00")), "MG00000F")
	w.ok(w.submit("Transfer", profit("T11", "10.01")), "MG09052F")
	w.ok(w.submit("Transfer", profit("T12", "10.00")), "MG00000F")
	assert.Equal(t, int64(30_00), w.bid("B1").Guarantors[0].ProfitPaid)
}

// The borrower still owes his guarantor after the bid has ended.
func TestCompensatedBidEndsAndIsReimbursedLater(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "500.00", "0.00", "30.00"))
	w.submit("registerCreditor", investing("C1", "B1", li, "100.00", "0.00"))
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "100.00", li.account, "0.00", zhang.account, "0.00")))
	w.submit("Transfer", transferring("T2", "B1", "2", transferRow("C1", "100.00", wang.account, "0.00", li.account, "0.00")))
	w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")), "MG02503F")
	w.ok(w.submit("Transfer", transferring("T3", "B1", "3", transferRow("T2", "100.00", zhang.account, "0.00", wang.account, "0.00"))), "MG00000F")
	w.ok(w.submit("Transfer", transferring("T4", "B1", "2", transferRow("C1", "1.00", wang.account, "0.00", li.account, "0.00"))), "MG09021F")
	assert.Equal(t, engine.Balance{Available: 10_000_00}, w.balance(wang.account))
}

// An organisation guarantees with the merchant's own account.
func TestOrganisationGuarantees(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.ok(w.submit("registerGuarantor", with(guaranteeing("G1", "B1", wang, "500.00", "200.00", "30.00"),
		"pAcctType", "0", "pFromIdentNo", merchant, "pAccountName", "测试平台", "pAccount", merchant)), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 800_00, Frozen: 200_00}, w.balance(merchant))
	w.submit("registerCreditor", investing("C1", "B1", li, "600.00", "0.00"))
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "600.00", li.account, "0.00", zhang.account, "0.00")))
	out := w.submit("Transfer", transferring("T2", "B1", "2", transferRow("C1", "250.00", merchant, "1.00", li.account, "0.00")))
	w.notice(out, "MG00000F")
	assert.Equal(t, engine.Balance{Available: 750_00}, w.balance(merchant))
	w.ok(w.submit("Transfer", transferring("T3", "B1", "3", transferRow("T2", "250.00", zhang.account, "0.00", merchant, "1.00"))), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 1_000_00}, w.balance(merchant))
	w.ok(w.submit("GuaranteeUnfreeze", with(unfreezing("U1", "B1", "2", wang, "1.00"),
		"pAcctType", "0", "pIdentNo", "", "pRealName", "测试平台", "pIpsAcctNo", merchant)), "MG11024F")
}

func TestUnfreezeMarginsInParts(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "500.00", "60.00", "0.00"))
	w.ok(w.submit("GuaranteeUnfreeze", unfreezing("U1", "B1", "1", zhang, "40.00")), "MG00000F")
	w.ok(w.submit("GuaranteeUnfreeze", unfreezing("U2", "B1", "1", zhang, "60.01")), "MG11024F")
	w.ok(w.submit("GuaranteeUnfreeze", unfreezing("U3", "B1", "1", zhang, "60.00")), "MG00000F")
	w.ok(w.submit("GuaranteeUnfreeze", unfreezing("U4", "B1", "1", zhang, "0.01")), "MG11024F")
	assert.Equal(t, engine.Balance{Available: 10_000_00}, w.balance(zhang.account))
	out := w.ok(w.submit("GuaranteeUnfreeze", unfreezing("U5", "B1", "2", wang, "60.00")), "MG00000F")
	w.notice(out, "MG00000F")
	assert.Equal(t, engine.Balance{Available: 10_000_00}, w.balance(wang.account))
}

func TestSellAWholeClaim(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	before := w.balance(li.account)
	w.ok(w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "600.00", "590.00", "1")), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 10_000_00 - 592_00, Frozen: 592_00}, w.balance(wang.account))
	w.ok(w.submit("registerCretansfer", selling("D2", "B1", "C1", li, zhao, "600.00", "600.00", "1")), "MG05025F")
	w.ok(w.submit("Transfer", transferring("T2", "B1", "4", transferRow("D1", "590.00", wang.account, "2.00", li.account, "1.00"))), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 9_408_00}, w.balance(wang.account))
	assert.Equal(t, before.Available+589_00, w.balance(li.account).Available)
	w.ok(w.submit("Transfer", transferring("T3", "B1", "4", transferRow("D1", "590.00", wang.account, "2.00", li.account, "1.00"))), "MG09046F")

	out := w.submit("RepaymentNewTrade", repaying("P1", "B1", "20.00", "0.00",
		repayRow("C1", li.account, "10.00", "0.00", "0.00"), repayRow("C1", wang.account, "10.00", "0.00", "0.00")))
	final := rowsOf(w.notice(out, "MG00000F").Answer)
	assert.Contains(t, final[0].Get("pMessage"), "MG12031F", "the seller holds nothing any more")
	assert.Equal(t, "Y", final[1].Get("pStatus"))
	w.ok(w.submit("registerCretansfer", selling("D3", "B1", "C1", li, zhao, "600.00", "600.00", "1")), "MG05025F")
	w.ok(w.submit("registerCretansfer", selling("D4", "B1", "C1", wang, zhao, "590.00", "600.00", "1")), "MG00000F")
}

// Parts of a claim can be sold on; all that one person buys of it is one holding.
func TestSellPartsOfAClaim(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.ok(w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "600.01", "600.00", "2")), "MG05025F")
	w.ok(w.submit("registerCretansfer", selling("D2", "B1", "C1", li, wang, "250.00", "250.00", "2")), "MG00000F")
	w.ok(w.submit("registerCretansfer", selling("D3", "B1", "C1", li, zhao, "350.01", "350.00", "2")), "MG05025F")
	w.ok(w.submit("registerCretansfer", selling("D4", "B1", "C1", li, zhao, "350.00", "350.00", "2")), "MG00000F")
	sell := func(no, debt, price string, from, to person) {
		w.ok(w.submit("Transfer", transferring(no, "B1", "4", transferRow(debt, price, to.account, "2.00", from.account, "1.00"))), "MG00000F")
	}
	sell("T2", "D2", "250.00", li, wang)
	sell("T3", "D4", "350.00", li, zhao)
	w.ok(w.submit("registerCretansfer", selling("D5", "B1", "T3", zhao, wang, "350.00", "300.00", "1")), "MG00000F")
	sell("T4", "D5", "300.00", zhao, wang)

	holdings := w.bid("B1").Claims[0].Holdings
	require.Len(t, holdings, 3)
	assert.Zero(t, holdings[0].Face)
	assert.Equal(t, engine.HoldingInfo{Holder: wang.account, Face: 600_00, Outstanding: 600_00}, holdings[1])
	assert.Zero(t, holdings[2].Face)

	// Any of the numbers under which he bought names all of it, and so does the
	// creditor registration's. Nothing bounds what the borrower agreed to pay.
	for i, number := range []string{"C1", "D2", "T2", "D5", "T4", "D4", "T3"} {
		out := w.submit("RepaymentNewTrade", repaying(fmt.Sprint("P", i), "B1", "100.00", "0.00", repayRow(number, wang.account, "100.00", "0.00", "0.00")))
		w.notice(out, "MG00000F")
		out = w.submit("RepaymentNewTrade", repaying(fmt.Sprint("Q", i), "B1", "1.00", "0.00", repayRow(number, zhao.account, "1.00", "0.00", "0.00")))
		assert.Contains(t, rowsOf(w.notice(out, "MG12044F").Answer)[0].Get("pMessage"), "MG12031F")
	}
	assert.Equal(t, engine.HoldingInfo{Holder: wang.account, Face: 600_00, Received: 700_00}, w.bid("B1").Claims[0].Holdings[1])
	w.ok(w.submit("registerCretansfer", selling("D6", "B1", "C1", wang, li, "100.00", "100.00", "2")), "MG05026F")
}

// A number that means one claim in one operation and another in another: the
// account decides.
func TestOneNumberForTwoClaims(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.ok(w.submit("registerCretansfer", selling("C2", "B1", "C1", li, wang, "600.00", "600.00", "1")), "MG00000F")
	w.ok(w.submit("Transfer", transferring("C2", "B1", "4", transferRow("C2", "600.00", wang.account, "2.00", li.account, "1.00"))), "MG00000F")
	w.notice(w.submit("RepaymentNewTrade", repaying("P1", "B1", "30.00", "0.00",
		repayRow("C2", wang.account, "10.00", "0.00", "0.00"), repayRow("C2", zhao.account, "20.00", "0.00", "0.00"))), "MG00000F")
	claims := w.bid("B1").Claims
	assert.Equal(t, int64(590_00), claims[0].Holdings[1].Outstanding)
	assert.Equal(t, int64(380_00), claims[1].Holdings[0].Outstanding)
}

// A bought claim is compensated under any of its numbers, too.
func TestCompensateABoughtClaim(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerGuarantor", guaranteeing("G1", "B1", zhao, "500.00", "0.00", "0.00"))
	w.ok(w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "600.00", "600.00", "1")), "MG00000F")
	w.ok(w.submit("Transfer", transferring("T2", "B1", "4", transferRow("D1", "600.00", wang.account, "2.00", li.account, "1.00"))), "MG00000F")
	for i, number := range []string{"C1", "D1", "T2"} {
		w.notice(w.submit("Transfer", transferring(fmt.Sprint("U", i), "B1", "2",
			transferRow(number, "100.00", zhao.account, "0.00", wang.account, "0.00"))), "MG00000F")
	}
	assert.Equal(t, int64(300_00), w.bid("B1").Claims[0].Holdings[1].Outstanding)
}

// What is repaid or bought between registration and payment of a sale stays.
func TestRepaymentDuringASale(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "200.00", "200.00", "2"))
	w.submit("RepaymentNewTrade", repaying("P1", "B1", "500.00", "0.00", repayRow("C1", li.account, "500.00", "0.00", "0.00")))
	w.ok(w.submit("Transfer", transferring("T2", "B1", "4", transferRow("D1", "200.00", wang.account, "2.00", li.account, "1.00"))), "MG00000F")
	holdings := w.bid("B1").Claims[0].Holdings
	assert.Equal(t, engine.HoldingInfo{Holder: li.account, Face: 400_00, Received: 500_00}, holdings[0])
	assert.Equal(t, engine.HoldingInfo{Holder: wang.account, Face: 200_00, Outstanding: 100_00}, holdings[1])
}

// A sale of all moves what was registered, whatever the assignor bought since.
func TestPurchaseDuringASale(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	sell := func(n int, from, to person, face, kind string, carry bool) string {
		no := fmt.Sprint("D", n)
		w.ok(w.submit("registerCretansfer", selling(no, "B1", "C1", from, to, face, face, kind)), "MG00000F")
		move := transferring("M"+no, "B1", "4", transferRow(no, face, to.account, "2.00", from.account, "1.00"))
		if carry {
			w.ok(w.submit("Transfer", move), "MG00000F")
		}
		return face
	}
	sell(1, li, wang, "50.00", "2", true)
	sell(2, wang, zhao, "50.00", "1", false)
	sell(3, li, wang, "30.00", "2", true)
	w.ok(w.submit("Transfer", transferring("MD2", "B1", "4", transferRow("D2", "50.00", zhao.account, "2.00", wang.account, "1.00"))), "MG00000F")
	holdings := w.bid("B1").Claims[0].Holdings
	assert.Equal(t, engine.HoldingInfo{Holder: wang.account, Face: 30_00, Outstanding: 30_00}, holdings[1])
	assert.Equal(t, engine.HoldingInfo{Holder: zhao.account, Face: 50_00, Outstanding: 50_00}, holdings[2])
}

// Interest that was counted as principal leaves nobody without what he is owed:
// he can still be paid and can still sell, as long as the claim lives.
func TestPartsAfterInterest(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.submit("registerSubject", bidding("B1", "B1", "1000.00", "0.00"))
	w.submit("registerCreditor", investing("C1", "B1", li, "1000.00", "0.00"))
	w.submit("Transfer", transferring("T1", "B1", "1", transferRow("C1", "1000.00", li.account, "0.00", zhang.account, "0.00")))
	pay := func(no, amount string, p person) {
		w.notice(w.submit("RepaymentNewTrade", repaying(no, "B1", amount, "0.00", repayRow("C1", p.account, amount, "0.00", "0.00"))), "MG00000F")
	}
	for i := range 6 {
		pay(fmt.Sprint("I", i), "10.00", li)
	}
	for i, sale := range []struct {
		to   person
		face string
	}{{wang, "900.00"}, {zhao, "60.00"}, {zhao, "40.00"}} {
		no := fmt.Sprint("D", i)
		w.ok(w.submit("registerCretansfer", selling(no, "B1", "C1", li, sale.to, sale.face, sale.face, "2")), "MG00000F")
		if i < 2 {
			w.ok(w.submit("Transfer", transferring("M"+no, "B1", "4", transferRow(no, sale.face, sale.to.account, "2.00", li.account, "1.00"))), "MG00000F")
		}
	}
	end := with(bidding("B1", "B1", "1000.00", "0.00"), "pOperationType", "2")
	w.ok(w.submit("registerSubject", end), "MG02055F")
	pay("P1", "40.00", li)
	pay("P2", "900.00", wang)
	w.ok(w.submit("registerSubject", end), "MG02055F")
	pay("P3", "60.00", zhao)
	w.ok(w.submit("registerSubject", end), "MG02503F")
	assert.Zero(t, w.e.Totals().Users.Frozen)
}

// A sale of a claim that is repaid meanwhile comes to nothing by itself, and
// nobody's money waits for the end of the bid.
func TestRepaymentGivesBackTheMoneyOfASale(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	w.submit("registerCretansfer", selling("D1", "B1", "C1", li, wang, "200.00", "200.00", "2"))
	w.submit("registerCretansfer", selling("D2", "B1", "C2", zhao, wang, "200.00", "200.00", "2"))
	out := w.submit("RepaymentNewTrade", repaying("P1", "B1", "600.00", "0.00", repayRow("C1", li.account, "600.00", "0.00", "0.00")))
	assert.Len(t, out.Notices, 1, "the order that registered the sale was done and stays so")
	assert.Equal(t, engine.Balance{Available: 9_798_00, Frozen: 202_00}, w.balance(wang.account))
	assert.Equal(t, "9", w.bid("B1").Transfers[0].Status)
	w.ok(w.submit("Transfer", transferring("T2", "B1", "4", transferRow("D1", "200.00", wang.account, "2.00", li.account, "1.00"))), "MG09050F")
	w.submit("registerGuarantor", guaranteeing("G1", "B1", li, "400.00", "0.00", "0.00"))
	w.notice(w.submit("Transfer", transferring("T3", "B1", "2", transferRow("C2", "400.00", li.account, "0.00", zhao.account, "0.00"))), "MG00000F")
	assert.Equal(t, engine.Balance{Available: 10_000_00}, w.balance(wang.account))
	w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")), "MG02503F")
}

// A month from the 31st ends on the last day of the next month.
func TestMonthsEndWhereTheMonthEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ day, months, want string }{
		{"20270131", "1", "20270228"}, {"20280131", "1", "20280229"}, {"20270131", "3", "20270430"},
		{"20270115", "1", "20270215"}, {"20271231", "2", "20280229"}, {"20270228", "12", "20280228"},
	} {
		w := newTown(t)
		day, err := time.ParseInLocation("20060102", test.day, time.FixedZone("CST", 8*60*60))
		require.NoError(t, err)
		w.at = day.Add(12 * time.Hour)
		out := w.ok(w.submit("AutoNewSigning", with(signing("S1", li), "pValidDate", test.months)), "MG00000F")
		assert.Equal(t, test.want, out.Answer.Body.Get("pValidDate"), test.day)
	}
}

func TestAutomaticBidKeepsToItsContract(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.raise()
	w.manual()
	ask := w.submit("AutoNewSigning", signing("S1", li)).Ask
	require.NotEmpty(t, ask)
	out := w.ok(w.confirm(ask, "password", "123456"), "MG00000F")
	auth := out.Answer.Body.Get("pIpsAuthNo")
	auto := func(no string) engine.Message {
		return with(investing(no, "B1", li, "100.00", "0.00"), "pRegType", "2", "pAuthNo", auth)
	}
	out = w.ok(w.submit("registerCreditor", auto("C1")), "MG00000F")
	assert.Empty(t, out.Ask, "an automatic bid asks nobody")
	w.at = w.at.AddDate(0, 6, 0)
	w.ok(w.submit("registerCreditor", auto("C2")), "MG00000F")
	w.at = w.at.AddDate(0, 0, 1)
	w.ok(w.submit("registerCreditor", auto("C3")), "MG03028F")
}

func TestAutomaticRepayment(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fund()
	auth := w.submit("RepaymentSigning", with(repaySigning("S1", zhang), "pValidType", "D", "pValidDate", "30")).Answer.Body.Get("pIpsAuthNo")
	w.manual()
	pay := func(no string) engine.Message {
		return with(repaying(no, "B1", "10.00", "0.00", repayRow("C1", li.account, "10.00", "0.00", "0.00")), "pRepayType", "2", "pIpsAuthNo", auth)
	}
	out := w.ok(w.submit("RepaymentNewTrade", pay("P1")), "MG00008F")
	assert.Empty(t, out.Ask)
	w.notice(out, "MG00000F")
	w.at = w.at.AddDate(0, 0, 31)
	w.ok(w.submit("RepaymentNewTrade", pay("P2")), "MG12027F")
}

func TestRechargeFees(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		feeType                  string
		user, platform, ipsTotal int64
	}{
		"the platform pays": {"1", 10_099_00, 999_00, 2_00},
		"the user pays":     {"2", 10_097_00, 1_001_00, 2_00},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.settle(engine.Settings{Merchant: merchant, Auto: true, IPSFee: 2_00})
			w.notice(w.ok(w.submit("doDpTrade", with(recharging("R1", li, "100.00"), "pIpsFeeType", test.feeType)), "MG00000F"), "MG00000F")
			assert.Equal(t, test.user, w.balance(li.account).Available)
			assert.Equal(t, test.platform, w.balance(merchant).Available)
			assert.Equal(t, test.ipsTotal, w.e.Totals().Fees)
		})
	}
}

func TestWithdrawalTakesFeesOnTop(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settle(engine.Settings{Merchant: merchant, Auto: true, IPSFee: 2_00})
	w.ok(w.submit("doDwTrade", with(withdrawing("X1", li, "100.00"), "pIpsFeeType", "2")), "MG00000F")
	assert.Equal(t, int64(10_000_00-103_00), w.balance(li.account).Available)
	assert.Equal(t, int64(1_001_00), w.balance(merchant).Available)
	w.ok(w.submit("doDwTrade", with(withdrawing("X2", li, "9895.00"), "pIpsFeeType", "2")), "MG19054F")
	w.ok(w.submit("doDwTrade", with(withdrawing("X3", li, "9894.00"), "pIpsFeeType", "2")), "MG00000F")
	assert.Zero(t, w.balance(li.account).Available)
	totals := w.e.Totals()
	assert.Zero(t, totals.Users.Available+totals.Users.Frozen+totals.Merchants.Available+totals.Fees+totals.Outside)
}

func TestWithholding(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settle(engine.Settings{Merchant: merchant, Auto: true, IPSFee: 50})
	out := w.ok(w.submit("CoDpTrade", withholding("W1", zhang, "100.00")), "MG00008F")
	final := w.notice(out, "MG00000F").Answer
	assert.Equal(t, "98.50", final.Body.Get("pTrdRealAmt"))
	assert.Equal(t, "0.50", final.Body.Get("pIpsFee"))
	assert.Equal(t, "00004", final.Body.Get("pTrdBnkCode"))
	assert.Equal(t, int64(10_098_50), w.balance(zhang.account).Available)
	assert.Equal(t, out.Answer.Body.Get("pIpsBillNo"), final.Body.Get("pIpsBillNo"))
	w.ok(w.submit("doDpTrade", with(recharging("R1", zhang, "10.00"), "pChannelType", "2", "pTrdBnkCode", "")), "MG00000F")
}

// What earlier rows of a release take of the registered fee is gone for later
// ones, netted or not.
func TestFeesOfAReleaseAddUp(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"1", "2"} {
		w := newTown(t)
		w.raise() // with a fee of 20
		w.submit("registerCreditor", investing("C1", "B1", li, "300.00", "0.00"))
		w.submit("registerCreditor", investing("C2", "B1", zhao, "200.00", "0.00"))
		w.submit("registerCreditor", investing("C3", "B1", wang, "100.00", "0.00"))
		out := w.submit("Transfer", with(transferring("T1", "B1", "1",
			transferRow("C1", "300.00", li.account, "0.00", zhang.account, "12.00"),
			transferRow("C2", "200.00", zhao.account, "0.00", zhang.account, "8.01"),
			transferRow("C3", "100.00", wang.account, "0.00", zhang.account, "8.00")), "pTransferMode", mode))
		rows := rowsOf(w.notice(out, "MG00000F").Answer)
		assert.Equal(t, []string{"Y", "N", "Y"}, []string{rows[0].Get("pStatus"), rows[1].Get("pStatus"), rows[2].Get("pStatus")})
		assert.Contains(t, rows[1].Get("pMessage"), "MG09035F")
		assert.Equal(t, int64(20_00), w.bid("B1").FeeTaken)
	}
}

// A netted release is one principal and one fee: any row's principal is good
// for it, and if all together is not, nothing moves.
func TestNettedReleasePaysTheFeeOutOfAllRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fee, second, mode string
		status            []string
	}{
		{"5.00", "100.00", "1", []string{"N", "Y"}},
		{"5.00", "100.00", "2", []string{"Y", "Y"}},
		{"5.00", "4.00", "2", []string{"Y", "Y"}},
		{"5.00", "3.99", "2", []string{"N", "N"}},
	} {
		w := newTown(t)
		w.raise()
		w.submit("doDwTrade", with(withdrawing("X1", zhang, "9900.00"), "pMerFee", "0.00"))
		w.submit("registerCreditor", investing("C1", "B1", li, "1.00", "0.00"))
		w.submit("registerCreditor", investing("C2", "B1", zhao, test.second, "0.00"))
		out := w.submit("Transfer", with(transferring("T1", "B1", "1",
			transferRow("C1", "1.00", li.account, "0.00", zhang.account, test.fee),
			transferRow("C2", test.second, zhao.account, "0.00", zhang.account, "0.00")), "pTransferMode", test.mode))
		var got []string
		for _, row := range rowsOf(out.Notices[0].Answer) {
			got = append(got, row.Get("pStatus"))
		}
		assert.Equal(t, test.status, got, "%+v", test)
	}
}

// A guarantee's profit is not paid before the first release, but after the end.
func TestProfitAfterTheEnd(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{false, true} {
		w := newTown(t)
		w.raise()
		w.submit("registerGuarantor", guaranteeing("G1", "B1", wang, "500.00", "0.00", "30.00"))
		w.submit("registerCreditor", investing("C1", "B1", li, "100.00", "0.00"))
		profit := func(no string) engine.Message {
			return transferring(no, "B1", "5", transferRow("G1", "10.00", zhang.account, "0.00", wang.account, "0.00"))
		}
		w.ok(w.submit("Transfer", profit("T1")), "MG09021F")
		want := "MG09021F"
		if released {
			w.submit("Transfer", transferring("T2", "B1", "1", transferRow("C1", "100.00", li.account, "0.00", zhang.account, "0.00")))
			w.submit("RepaymentNewTrade", repaying("P1", "B1", "100.00", "0.00", repayRow("C1", li.account, "100.00", "0.00", "0.00")))
			want = "MG00000F"
		}
		w.ok(w.submit("registerSubject", with(bidding("B1", "B1", "1000.00", "100.00"), "pOperationType", "2")), "MG02503F")
		w.ok(w.submit("Transfer", profit("T3")), want)
	}
}
