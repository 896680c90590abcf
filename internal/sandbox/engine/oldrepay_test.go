package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// newOldWorld is a town in which 张三 owes 李四 300.00 and 王五 200.00 from a
// bid of the old interface.
func newOldWorld(t *testing.T) *world {
	t.Helper()
	w := newTown(t)
	w.apply(engine.Command{Kind: engine.KindOldBid, Merchant: merchant, OldBid: &engine.OldBid{
		BidNo: "OLD1", ContractNo: "HT1", Release: "F1", Borrower: zhang.account,
		Owed: []engine.OldClaim{{Account: li.account, Amount: 300_00}, {Account: wang.account, Amount: 200_00}},
	}})
	return w
}

func oldRow(to person, amount, fee string) engine.Message {
	return engine.Message{
		{Name: "pTAcctType", Value: "1"}, {Name: "pTIpsAcctNo", Value: to.account},
		{Name: "pTTrdFee", Value: fee}, {Name: "pTTrdAmt", Value: amount},
	}
}

func oldRepaying(no, amount, fee string, list ...engine.Message) engine.Message {
	return append(message(true,
		"pBidNo", "OLD1", "pContractNo", "HT1", "pRepaymentDate", "20141124", "pMerBillNo", no, "pMerchantBillNo", "F1",
		"pFAcctType", "1", "pFIdentNo", zhang.ident, "pFRealName", zhang.name, "pFIpsAcctNo", zhang.account,
		"pFTrdFee", fee, "pFTrdAmt", amount,
	), rows(list...))
}

func TestOldRepayment(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	before := w.balance(li.account).Available
	out := w.ok(w.submit("repaymentTrade", oldRepaying("O1", "400.00", "5.00", oldRow(li, "250.00", "1.00"), oldRow(wang, "150.00", "0.00"))), "0000")
	assert.Equal(t, out.Answer, w.notice(out, "0000").Answer)
	for _, row := range rowsOf(out.Answer) {
		assert.Equal(t, "Y", row.Get("pStatus"))
	}
	assert.Contains(t, out.Answer.Body.Get("pIpsBillNo"), "OLD20141124")
	assert.Equal(t, int64(9_595_00), w.balance(zhang.account).Available)
	assert.Equal(t, before+249_00, w.balance(li.account).Available)
	old, ok := w.e.OldBid(merchant, "OLD1")
	require.True(t, ok)
	assert.Equal(t, []engine.OldClaim{{Account: li.account, Amount: 50_00}, {Account: wang.account, Amount: 50_00}}, old.Owed)

	// A row to nobody fails alone; the borrower's fee is taken once, and nothing
	// bounds what he agreed to pay.
	out = w.ok(w.submit("repaymentTrade", oldRepaying("O2", "110.00", "5.00", oldRow(zhao, "50.00", "0.00"), oldRow(li, "60.00", "0.00"))), "0000")
	got := rowsOf(out.Answer)
	assert.Equal(t, "N", got[0].Get("pStatus"))
	assert.Contains(t, got[0].Get("pMessage"), "MG20030F")
	assert.Equal(t, "Y", got[1].Get("pStatus"))
	assert.Equal(t, int64(9_530_00), w.balance(zhang.account).Available)

	// The same again is the first answer; nothing moves.
	again := w.submit("repaymentTrade", oldRepaying("O2", "110.00", "5.00", oldRow(zhao, "50.00", "0.00"), oldRow(li, "60.00", "0.00")))
	assert.Equal(t, out.Answer, again.Answer)
	assert.Equal(t, int64(9_530_00), w.balance(zhang.account).Available)

	w.ok(w.submit("repaymentTrade", oldRepaying("O3", "60.00", "5.00", oldRow(zhao, "60.00", "0.00"))), "MG20044F")
	assert.Equal(t, int64(9_530_00), w.balance(zhang.account).Available, "no row, no fee")
	require.NoError(t, w.e.CheckBooks())
}

func TestOldRepaymentRefusals(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	good := oldRepaying("O1", "100.00", "0.00", oldRow(li, "100.00", "0.00"))
	for code, msg := range map[string]engine.Message{
		"MG00006F": with(good, "pContractNo", ""),
		"MG20020F": with(good, "pBidNo", "OLD2"),
		"MG20022F": with(good, "pFRealName", "李四"),
		"MG20023F": with(good, "pFTrdAmt", "100.01"),
		"MG20024F": oldRepaying("O1", "100.00", "0.00", oldRow(li, "100.00", "100.00")),
		"MG20025F": oldRepaying("O1", "100.00", "9900.01", oldRow(li, "100.00", "0.00")),
		"MG20044F": oldRepaying("O9", "100.00", "0.00", oldRow(zhao, "100.00", "0.00")), // taken, and then failed
		"MG20080F": with(good, "pFAcctType", "0"),
		"MG20200F": oldRepaying("O1", "301.00", "0.00", many(301)...),
	} {
		out := w.submit("repaymentTrade", with(msg, "pMerBillNo", code))
		assert.Equal(t, code, out.Answer.Code, out.Answer.Text)
	}
	assert.Equal(t, int64(10_000_00), w.balance(zhang.account).Available)
}

func many(n int) []engine.Message {
	list := make([]engine.Message, n)
	for i := range list {
		list[i] = oldRow(li, "1.00", "0.00")
	}
	return list
}

// No operation of v2.0 knows an old bid, and its number is taken.
func TestOldBidIsNoNewOne(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	w.ok(w.submit("RepaymentNewTrade", repaying("P1", "OLD1", "100.00", "0.00", repayRow("C1", li.account, "100.00", "0.00", "0.00"))), "MG12020F")
	w.ok(w.submit("registerSubject", bidding("B1", "OLD1", "1000.00", "0.00")), "MG02008F")
}

func TestOldBidSeeding(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	good := engine.OldBid{BidNo: "OLD2", Borrower: zhang.account, Owed: []engine.OldClaim{{Account: li.account, Amount: 1}}}
	for name, spoil := range map[string]func(*engine.OldBid){
		"number taken":     func(b *engine.OldBid) { b.BidNo = "OLD1" },
		"bad number":       func(b *engine.OldBid) { b.BidNo = "老标" },
		"no borrower":      func(b *engine.OldBid) { b.Borrower = "4021999999999999" },
		"nobody is owed":   func(b *engine.OldBid) { b.Owed = nil },
		"owed to himself":  func(b *engine.OldBid) { b.Owed = []engine.OldClaim{{Account: zhang.account, Amount: 1}} },
		"owed nothing":     func(b *engine.OldBid) { b.Owed = []engine.OldClaim{{Account: li.account}} },
		"unknown investor": func(b *engine.OldBid) { b.Owed = []engine.OldClaim{{Account: "x", Amount: 1}} },
	} {
		b := good
		spoil(&b)
		_, err := w.e.Apply(engine.Command{Kind: engine.KindOldBid, Merchant: merchant, At: w.e.Now(), OldBid: &b})
		require.Error(t, err, name)
	}
	raw, err := json.Marshal(engine.Command{Kind: engine.KindOldBid, Merchant: merchant, At: w.e.Now(), OldBid: &good})
	require.NoError(t, err)
	var cmd engine.Command
	require.NoError(t, json.Unmarshal(raw, &cmd))
	before := w.e.Digest()
	_, err = w.e.Apply(cmd)
	require.NoError(t, err)
	assert.NotEqual(t, before, w.e.Digest(), "a seeded bid is part of what the engine knows")
}
