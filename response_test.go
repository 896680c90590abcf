package ips_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// answerNames are the elements of each answer, typed from the manual's tables;
// "*" stands for those of the request, which the answer repeats.
var answerNames = map[ips.Operation]struct{ fields, row string }{
	ips.OpOpenAccount: {fields: `pStatus pMerBillNo pSmDate pEmail pIdentNo pRealName pMobileNo pBankName pBkAccName pBkAccNo
		pCardStatus pPhStatus pIpsAcctNo pIpsAcctDate pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterBid: {fields: `* pIpsBillNo pIpsTime pBidStatus pRealFreezenAmt`},
	ips.OpEndBid:      {fields: `* pIpsBillNo pIpsTime pBidStatus pRealFreezenAmt`},
	ips.OpRegisterCreditor: {fields: `pMerBillNo pMerDate pBidNo pContractNo pAuthAmt pTrdAmt pFee pAccount
		pAccountDealNo pBidDealNo pBusiType pTransferAmt pStatus pP2PBillNo pIpsTime pMemo1 pMemo2 pMemo3`},
	ips.OpAutoBid: {fields: `pMerBillNo pMerDate pBidNo pContractNo pAuthAmt pTrdAmt pFee pAccount
		pAccountDealNo pBidDealNo pBusiType pTransferAmt pStatus pP2PBillNo pIpsTime pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterGuarantor: {fields: `pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pAccountName pAccount
		pP2PBillNo pRealFreezeAmt pCompenAmt pIpsTime pStatus pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterDebtTransfer: {fields: `* pP2PBillNo pIpsTime pBussType pStatus`},
	ips.OpSignAutoBid: {fields: `pMerBillNo pSigningDate pP2PBillNo pIpsAuthNo pValidDate pSAmtQuota pEAmtQuota pSIRQuota
		pEIRQuota pIpsTime pMemo1 pMemo2 pMemo3`},
	ips.OpSignAutoRepay: {fields: `pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pP2PBillNo pIpsAuthNo
		pIpsTime pMemo1 pMemo2 pMemo3`},
	ips.OpRecharge: {fields: `pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pTrdBnkCode pIpsBillNo
		pMemo1 pMemo2 pMemo3`},
	ips.OpTransfer: {fields: `pMerBillNo pBidNo pDate pTransferType pTransferMode pIpsBillNo pIpsTime pDetails/pRow pMemo1 pMemo2 pMemo3`,
		row: `pOriMerBillNo pTrdAmt pFAccType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee
			pIpsDetailBillNo pIpsDetailTime pIpsFee pStatus pMessage`},
	ips.OpRepay: {fields: `pBidNo pRepaymentDate pMerBillNo pIpsBillNo pIpsDate pOutIpsFee pDetails/pRow pMemo1 pMemo2 pMemo3`,
		row: `pCreMerBillNo pInAcctNo pInFee pStatus pMessage`},
	ips.OpAutoRepay: {fields: `pBidNo pRepaymentDate pMerBillNo pIpsBillNo pIpsDate pOutIpsFee pDetails/pRow pMemo1 pMemo2 pMemo3`,
		row: `pCreMerBillNo pInAcctNo pInFee pStatus pMessage`},
	ips.OpUnfreezeMargin:      {fields: `* pIpsBillNo pIpsTime`},
	ips.OpWithholdingRecharge: {fields: `* pIpsBillNo pIpsTime pTrdRealAmt pIpsFee pTrdBnkCode`},
	ips.OpWithdraw: {fields: `pMerBillNo pAcctType pOutType pBidNo pContractNo pDwTo pIdentNo pRealName pIpsAcctNo pDwDate
		pTrdAmt pIpsBillNo pMemo1 pMemo2 pMemo3`},
	ips.OpRepayOldBid: {fields: `pBidNo pContractNo pRepaymentDate pMerBillNo pMerchantBillNo pIpsBillNo pDetails/pRow pMemo1 pMemo2 pMemo3`,
		row: `pTAcctType pTIpsAcctNo pTTrdFee pTTrdAmt pStatus pMessage`},
	ips.OpQueryBalance: {fields: `pMerCode pErrCode pErrMsg pIpsAcctNo pBalance pLock pNeedstl pSign`},
	ips.OpQueryBanks:   {fields: `pMerCode pErrCode pErrMsg pBankList pSign`},
	ips.OpQueryAccount: {fields: `pMerCode pErrCode pErrMsg pIpsAcctNo pEmail pStatus pUCardStatus pBankName pBankCard
		pBCardStatus pSignStatus pMemo pSign`},
}

func at(hour, minute, second int) ips.Time {
	return ips.Time{Time: time.Date(2014, time.December, 13, hour, minute, second, 0, ips.China)}
}

// wantResponses are what testdata/golden/*.response.xml, written by hand from
// the manual's tables, must be read as.
func wantResponses() []struct {
	code     ips.Code
	response ips.Response
} {
	reply := func(op ips.Operation, code ips.Code, orderNo string, extra ...ips.Element) ips.Reply {
		return ips.Reply{
			Operation: op, Via: ips.ServerToServer, MerchantCode: "808801", Code: code, Message: "操作成功！",
			Outcome: ips.Success, OrderNo: orderNo, Extra: extra,
		}
	}
	query := func(op ips.Operation) ips.Reply {
		return ips.Reply{
			Operation: op, Via: ips.Synchronous, MerchantCode: "808801", Code: "0000", Message: "查询成功", Outcome: ips.Success,
		}
	}
	bid := func(op ips.Operation, code ips.Code, kind string, status ips.BidStatus, frozen ips.Amount) *ips.BidResponse {
		return &ips.BidResponse{
			Reply: reply(op, code, "B20141213000001",
				ips.Element{Name: "pWebUrl", Text: "https://p2p.example.com/back?a=1&b=2"},
				ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/bid"}),
			BidNo: "BID000001", Date: day(), Amount: 50_000_00, Margin: 5_000_00, Rate: 12_50, TermUnit: "3", Term: 12,
			Purpose: "购房 & 装修", RepayMode: "2", OperationType: kind, Fee: 500_05, AccountType: "1",
			IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			IPSBillNo: "BID20141213052787", IPSTime: at(23, 59, 59), Status: status, FrozenMargin: frozen,
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}
	}
	repayment := func(op ips.Operation, orderNo string) *ips.RepayResponse {
		return &ips.RepayResponse{
			Reply: reply(op, "MG00000F", orderNo), BidNo: "BID000001", Date: day(), IPSBillNo: "CRY2014121300031415",
			IPSDate: ips.NewDate(2014, time.December, 14), IPSFee: 30,
			Rows: []ips.RepayRowResult{
				{CreditorOrderNo: "C20141213000001", Account: "4021000000000002", Fee: 1_00, Status: ips.RowDone, Message: "操作成功"},
				{CreditorOrderNo: "C20141213000002", Account: "4021000000000003", Fee: 50, Status: ips.RowFailed, Message: "<失败>"},
			},
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}
	}
	return []struct {
		code     ips.Code
		response ips.Response
	}{
		{"MG00000F", &ips.OpenAccountResponse{
			Reply: reply(ips.OpOpenAccount, "MG00000F", "A20141213000001"), Status: ips.AccountOpened, Date: day(),
			Email: "zhangsan@example.com", IdentNo: "110101199001010001", RealName: "张三", Mobile: "13800000000",
			BankName: "示例银行", CardHolder: "张三", CardLast4: "0001", IdentStatus: ips.CheckPassed, MobileStatus: ips.NotChecked,
			Account: "4021000000000001", AccountDate: ips.NewDate(2014, time.December, 14),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG02501F", bid(ips.OpRegisterBid, "MG02501F", "1", ips.BidRaising, 5_000_00)},
		{"MG02505F", bid(ips.OpEndBid, "MG02505F", "2", ips.BidEnded, 1)},
		{"MG00000F", &ips.CreditorResponse{
			Reply: reply(ips.OpRegisterCreditor, "MG00000F", "C20141213000001"), Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
			Amount: 10_000_00, TradeAmount: 10_000_00, Fee: 10_00, Account: "4021000000000002",
			InvestorNo: "CRE20141213052810", IPSBidNo: "BID20141213052787", BusinessType: "1", Frozen: 10_010_00,
			Status: ips.ClaimNew, IPSBillNo: "TND20141213022912", IPSTime: at(10, 0, 0),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.CreditorResponse{
			Reply: reply(ips.OpAutoBid, "MG00000F", "C20141213000002"), Date: day(), BidNo: "BID000001", ContractNo: "HT000002",
			Amount: 3_050_00, TradeAmount: 3_050_00, Fee: 1_50, Account: "4021000000000003",
			InvestorNo: "CRE20141213052810", IPSBidNo: "BID20141213052787", BusinessType: "1", Frozen: 3_051_50,
			Status: ips.ClaimNew, IPSBillNo: "TND20141213022912", IPSTime: at(10, 0, 0),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.RegisterGuarantorResponse{
			Reply: reply(ips.OpRegisterGuarantor, "MG00000F", "G20141213000001"), Date: day(), BidNo: "BID000001",
			Amount: 50_000_00, Margin: 10_000_00, Profit: 300_00, AccountType: ips.AccountOrganisation,
			AccountName: "示例担保有限公司", Account: "900001", IPSBillNo: "GUA20141213000077",
			FrozenMargin: 10_000_00, Compensated: 2, IPSTime: at(10, 0, 1), Status: ips.ClaimRunning,
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.RegisterDebtTransferResponse{
			Reply: reply(ips.OpRegisterDebtTransfer, "MG00000F", "D20141213000001",
				ips.Element{Name: "pWebUrl", Text: "https://p2p.example.com/back"},
				ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/debt"}),
			Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
			FromAccountType: "1", FromName: "李四", FromAccount: "4021000000000002", FromIdentType: "1", FromIdentNo: "110101199001010002",
			ToAccountType: "1", ToName: "赵六", ToAccount: "4021000000000004", ToIdentType: "1", ToIdentNo: "110101199001010004",
			CreditorOrderNo: "C20141213000001", FaceAmount: 10_000_00, Price: 9_500_00, FromFee: 5_00, ToFee: 6_00,
			Kind: ips.TransferWholeClaim, IPSBillNo: "DBT20141213000078", IPSTime: at(10, 0, 2), BusinessType: "1", Status: ips.ClaimEnded,
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.SignAutoBidResponse{
			Reply: reply(ips.OpSignAutoBid, "MG00000F", "S20141213000001"), Date: day(), IPSBillNo: "SGN20141213000079",
			AuthNo: "AUTH000001", ValidUntil: ips.NewDate(2015, time.December, 13), AmountFrom: 1_00, AmountTo: 20_000_00,
			RateFrom: 5_00, RateTo: 20_25, IPSTime: at(10, 0, 3),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.SignAutoRepayResponse{
			Reply: reply(ips.OpSignAutoRepay, "MG00000F", "S20141213000002"), Date: day(), IdentType: "1",
			IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "SGN20141213000080",
			AuthNo: "AUTH000002", IPSTime: at(10, 0, 4),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.RechargeResponse{
			Reply: reply(ips.OpRecharge, "MG00000F", "R20141213000001"), AccountType: "1", IdentNo: "110101199001010002", RealName: "李四",
			Account: "4021000000000002", Date: day(), Amount: 3_050_00, BankCode: "00004", IPSBillNo: "NT2014121371283111",
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.TransferResponse{
			Reply: reply(ips.OpTransfer, "MG00000F", "T20141213000001", ips.Element{Name: "pDetails/pRow[2]/pNew", Text: "新"}),
			BidNo: "BID000001", Date: day(), Type: ips.TransferInvestment, Mode: ips.TransferBatched,
			IPSBillNo: "20141213879", IPSTime: at(10, 0, 5),
			Rows: []ips.TransferRowResult{
				{OriginalOrderNo: "C20141213000001", Amount: 10_000_00, FromAccountType: "1", FromAccount: "4021000000000002", FromFee: 10_00,
					ToAccountType: "1", ToAccount: "4021000000000001", ToFee: 100_00, IPSBillNo: "2014121387901", IPSTime: at(10, 0, 5),
					IPSFee: 50, Status: ips.RowDone, Message: "操作成功"},
				{OriginalOrderNo: "C20141213000002", Amount: 500_00, FromAccountType: "1", FromAccount: "4021000000000003", FromFee: 1_00,
					ToAccountType: "1", ToAccount: "4021000000000001", ToFee: 25, IPSBillNo: "2014121387902", IPSTime: at(10, 0, 5),
					IPSFee: 10, Status: ips.RowFailed, Message: "账户余额不足"},
			},
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", repayment(ips.OpRepay, "P20141213000001")},
		{"MG00000F", repayment(ips.OpAutoRepay, "P20141213000002")},
		{"MG00000F", &ips.UnfreezeMarginResponse{
			Reply: reply(ips.OpUnfreezeMargin, "MG00000F", "U20141213000001", ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/unfreeze"}),
			BidNo: "BID000001", Date: day(), Amount: 5_000_00, Owner: ips.BorrowerMargin, AccountType: "1",
			IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "UNF20141213000081", IPSTime: at(10, 0, 6),
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.WithholdingRechargeResponse{
			Reply: reply(ips.OpWithholdingRecharge, "MG00000F", "W20141213000001", ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/withholding"}),
			Date:  day(), Amount: 1_016_71, Fee: 1_00, FeePayer: ips.PlatformPaysFee, AccountType: "1",
			IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "WHD20141213000082", IPSTime: at(10, 0, 7),
			Credited: 1_015_71, IPSFee: 2_00, BankCode: "00083",
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"MG00000F", &ips.WithdrawResponse{
			Reply: reply(ips.OpWithdraw, "MG00000F", "X20141213000001"), AccountType: "1", OutType: "2", BidNo: "BID000001", ContractNo: "HT000001",
			DirectedTo: "4021000000000002", IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
			Date: day(), Amount: 500_00, IPSBillNo: "WD2014121371340309",
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"0000", &ips.RepayOldBidResponse{
			Reply: reply(ips.OpRepayOldBid, "0000", "O20141213000001"),
			BidNo: "OLD000001", ContractNo: "HT000001", Date: day(), ReleaseOrderNo: "F20140601000001", IPSBillNo: "OLD2014121300031415",
			Rows: []ips.RepayOldBidRowResult{
				{AccountType: "1", Account: "4021000000000002", Fee: 1_00, Amount: 100_00, Status: ips.RowDone, Message: "操作成功"},
				{AccountType: "1", Account: "4021000000000003", Fee: 50, Amount: 200_00, Status: ips.RowFailed, Message: "<失败>"},
			},
			Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三",
		}},
		{"0000", &ips.BalanceResponse{
			Reply: query(ips.OpQueryBalance), Account: "4021000000000001", Available: 1_016_71, Frozen: 500_00, Unsettled: -50, Verified: true,
		}},
		{"0000", &ips.BanksResponse{
			Reply: query(ips.OpQueryBanks), List: "示例银行|EXB|00004#样本 & 银行|SMP|00083",
			Banks: []ips.Bank{{Name: "示例银行", Alias: "EXB", Code: "00004"}, {Name: "样本 & 银行", Alias: "SMP", Code: "00083"}}, Verified: true,
		}},
		{"0000", &ips.AccountResponse{
			Reply: query(ips.OpQueryAccount), Account: "4021000000000001", Email: "zhangsan@example.com", Status: ips.AccountActive,
			IdentStatus: "02", BankName: "示例银行", BankCard: "****0001", CardStatus: "01", SignStatus: "03", Memo: "备注", Verified: true,
		}},
	}
}

func responseFile(t testing.TB, op ips.Operation) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", string(op)+".response.xml"))
	require.NoError(t, err)
	return string(raw)
}

// signQuery puts the signature into a query's answer: MD5 over the texts of all
// elements before pSign and the cert.
func signQuery(t testing.TB, document string) string {
	t.Helper()
	var texts strings.Builder
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok && string(text) != "SIGN" {
			texts.Write(text)
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(texts.String()+ips.TestMerchant().Cert), 1)
}

// TestResponseGolden reads an answer of every operation by the public way and
// compares every field.
func TestResponseGolden(t *testing.T) {
	t.Parallel()
	responses := wantResponses()
	require.Len(t, responses, len(ips.Operations()))
	for _, tt := range responses {
		op := tt.response.Base().Operation
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			var got ips.Response
			var err error
			if info(t, op).Transport == ips.QueryService {
				answer := soapAnswer(info(t, op).Endpoint, signQuery(t, responseFile(t, op)))
				c, _ := recordingClient(t, answer, "text/xml; charset=utf-8")
				e := exampleOf(t, op)
				_, got, err = e.send(c, e.request)
			} else {
				got, err = offlineClient(t).ParseNotification(sealedAnswer(t, tt.code, "操作成功！", responseFile(t, op)).inbound(op), op)
			}
			require.NoError(t, err)
			assert.Equal(t, tt.response, got)
			assert.NoError(t, got.Err())
			requireFull(t, reflect.ValueOf(tt.response).Elem())
		})
	}
}

// requireFull fails if the expected answer leaves a field zero, which would
// prove nothing about it.
func requireFull(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if f.Name == "Reply" {
			continue
		}
		require.False(t, field.IsZero(), "%s.%s is zero", v.Type(), f.Name)
		if field.Kind() == reflect.Slice {
			for j := range field.Len() {
				requireFull(t, field.Index(j))
			}
		}
	}
}

// TestResponseNames compares the names in the hand-written answers with those
// of the manual, so that neither can be wrong alone.
func TestResponseNames(t *testing.T) {
	t.Parallel()
	for op, want := range answerNames {
		names, rows := elementNames(t, bytes.TrimPrefix([]byte(responseFile(t, op)), []byte("\xEF\xBB\xBF")))
		list := strings.ReplaceAll(want.fields, "*", wireNames[op].request)
		expected := slices.Sorted(slices.Values(strings.Fields(list)))
		slices.Sort(names)
		assert.Equal(t, expected, slices.Compact(names), op)
		for _, row := range rows {
			row = slices.DeleteFunc(row, func(name string) bool { return name == "pNew" })
			assert.Equal(t, strings.Fields(want.row), row, op)
		}
	}
}
