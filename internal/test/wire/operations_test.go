package wire_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/ips-p2p/ips"
)

// operationTest is all that the tests know about one operation. The facts are
// typed from the manual's tables and not derived from the code, so that they can
// disagree with it. The documents themselves are in testdata/golden:
// <operation>.request.xml is what the example's request must be sent as,
// <operation>.response.xml, written by hand from the manual's tables, what an
// answer looks like.
type operationTest struct {
	op        ips.Operation
	section   string // of the manual; empty where the operation has none there
	scenarios []int  // of the usage guide
	transport ips.Transport

	url    string // below https://ips.example.com
	action string // SOAP operation; empty for forms
	prefix string // of the envelope's names: arg or p

	success, pending []ips.Code // no other code is one

	example // a full request of fictional people
	// The elements of the request in the order of the wire, "pDetails/pRow" once
	// for each of the example's rows, and those of a row.
	requestNames, rowNames string
	// How many complaints a request gets in which all is zero: one for each
	// required field but amounts and numbers that may be zero.
	required int

	// The elements of the answer in any order; "*" stands for those of the
	// request, which the answer repeats. Those of a row are in the order of the
	// wire.
	answerNames, answerRowNames string
	// The golden answer as it must be read, with its code, and no field zero.
	response ips.Response
}

type example struct {
	request ips.Request // pointer to the request struct
	send    func(c *ips.Client, request ips.Request) (*ips.Form, ips.Response, error)
}

// operationTests returns fresh entries in the order of the manual.
func operationTests() []operationTest {
	done, processing := []ips.Code{"MG00000F"}, []ips.Code{"MG00008F"}
	return []operationTest{
		{
			op: ips.OpOpenAccount, section: "4.2", scenarios: []int{1}, transport: ips.Redirect,
			url: "/CreditWeb/CreateNewIpsAcct.aspx", prefix: "arg",
			success: done, pending: processing,
			example: formExample(ips.OpenAccountRequest{
				OrderNo: "A20141213000001", IdentNo: "110101199001010001", RealName: "张三", Mobile: "13800000000",
				Email: "zhangsan@example.com", Date: day(),
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/account",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).OpenAccount),
			requestNames: `pMerBillNo pIdentType pIdentNo pRealName pMobileNo pEmail pSmDate
				pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 8,
			answerNames: `pStatus pMerBillNo pSmDate pEmail pIdentNo pRealName pMobileNo pBankName pBkAccName pBkAccNo
				pCardStatus pPhStatus pIpsAcctNo pIpsAcctDate pMemo1 pMemo2 pMemo3`,
			response: &ips.OpenAccountResponse{
				Reply: postedReply(ips.OpOpenAccount, "MG00000F", "A20141213000001"), Status: ips.AccountOpened, Date: day(),
				Email: "zhangsan@example.com", IdentNo: "110101199001010001", RealName: "张三", Mobile: "13800000000",
				BankName: "示例银行", CardHolder: "张三", CardLast4: "0001", IdentStatus: ips.CheckPassed, MobileStatus: ips.NotChecked,
				Account: "4021000000000001", AccountDate: ips.NewDate(2014, time.December, 14),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRegisterBid, section: "4.3", scenarios: []int{2}, transport: ips.Redirect,
			url: "/CreditWeb/registerSubject.aspx", prefix: "p",
			success: []ips.Code{"MG02501F", "MG00000F"}, pending: []ips.Code{"MG02500F", "MG00008F"},
			example: formExample(bidRequest(), (*ips.Client).RegisterBid),
			requestNames: `pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType pTrdCycleValue
				pLendPurpose pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo
				pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required:    13,
			answerNames: `* pIpsBillNo pIpsTime pBidStatus pRealFreezenAmt`,
			response:    bidResponse(ips.OpRegisterBid, "MG02501F", "1", ips.BidRaising, 5_000_00),
		},
		{
			op: ips.OpEndBid, section: "4.3", scenarios: []int{2}, transport: ips.ServerPosted,
			url: "/CreditWeb/registerSubject.aspx", prefix: "p",
			success: []ips.Code{"MG02505F", "MG00000F"}, pending: []ips.Code{"MG02503F", "MG00008F"},
			example: callExample(ips.EndBidRequest(bidRequest()), (*ips.Client).EndBid),
			requestNames: `pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType pTrdCycleValue
				pLendPurpose pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo
				pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required:    13,
			answerNames: `* pIpsBillNo pIpsTime pBidStatus pRealFreezenAmt`,
			response:    bidResponse(ips.OpEndBid, "MG02505F", "2", ips.BidEnded, 1),
		},
		{
			op: ips.OpRegisterCreditor, section: "4.4", scenarios: []int{4, 5}, transport: ips.Redirect,
			url: "/CreditWeb/registerCreditor.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.RegisterCreditorRequest{
				OrderNo: "C20141213000001", Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
				Amount: 10_000 * ips.Yuan, Fee: 10 * ips.Yuan, AccountType: ips.AccountPerson,
				IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002", Purpose: "购房",
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/creditor",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).RegisterCreditor),
			requestNames: `pMerBillNo pMerDate pBidNo pContractNo pRegType pAuthNo pAuthAmt pTrdAmt pFee
				pAcctType pIdentNo pRealName pAccount pUse pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 11,
			answerNames: `pMerBillNo pMerDate pBidNo pContractNo pAuthAmt pTrdAmt pFee pAccount
				pAccountDealNo pBidDealNo pBusiType pTransferAmt pStatus pP2PBillNo pIpsTime pMemo1 pMemo2 pMemo3`,
			response: &ips.CreditorResponse{
				Reply: postedReply(ips.OpRegisterCreditor, "MG00000F", "C20141213000001"), Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
				Amount: 10_000_00, TradeAmount: 10_000_00, Fee: 10_00, Account: "4021000000000002",
				InvestorNo: "CRE20141213052810", IPSBidNo: "BID20141213052787", BusinessType: "1", Frozen: 10_010_00,
				Status: ips.ClaimNew, IPSBillNo: "TND20141213022912", IPSTime: at(10, 0, 0),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpAutoBid, section: "4.4", scenarios: []int{4, 5}, transport: ips.ServerPosted,
			url: "/CreditWeb/registerCreditor.aspx", prefix: "p",
			success: done, pending: processing,
			example: callExample(ips.AutoBidRequest{
				OrderNo: "C20141213000002", Date: day(), BidNo: "BID000001", ContractNo: "HT000002", AuthNo: "AUTH000001",
				Amount: 10_000 * ips.Yuan, Fee: 0, AccountType: ips.AccountPerson,
				IdentNo: "110101199001010003", RealName: "王五", Account: "4021000000000003", Purpose: "购房",
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/creditor",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).AutoBid),
			requestNames: `pMerBillNo pMerDate pBidNo pContractNo pRegType pAuthNo pAuthAmt pTrdAmt pFee
				pAcctType pIdentNo pRealName pAccount pUse pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 12,
			answerNames: `pMerBillNo pMerDate pBidNo pContractNo pAuthAmt pTrdAmt pFee pAccount
				pAccountDealNo pBidDealNo pBusiType pTransferAmt pStatus pP2PBillNo pIpsTime pMemo1 pMemo2 pMemo3`,
			response: &ips.CreditorResponse{
				Reply: postedReply(ips.OpAutoBid, "MG00000F", "C20141213000002"), Date: day(), BidNo: "BID000001", ContractNo: "HT000002",
				Amount: 3_050_00, TradeAmount: 3_050_00, Fee: 1_50, Account: "4021000000000003",
				InvestorNo: "CRE20141213052810", IPSBidNo: "BID20141213052787", BusinessType: "1", Frozen: 3_051_50,
				Status: ips.ClaimNew, IPSBillNo: "TND20141213022912", IPSTime: at(10, 0, 0),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRegisterGuarantor, section: "4.5", scenarios: []int{3}, transport: ips.Redirect,
			url: "/CreditWeb/registerGuarantor.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.RegisterGuarantorRequest{
				OrderNo: "G20141213000001", Date: day(), BidNo: "BID000001",
				Amount: 50_000 * ips.Yuan, Margin: 10_000 * ips.Yuan, Profit: 300 * ips.Yuan, AccountType: ips.AccountOrganisation,
				IdentNo: "900001", AccountName: "示例担保有限公司", Account: "900001",
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/guarantor",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).RegisterGuarantor),
			requestNames: `pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pFromIdentNo
				pAccountName pAccount pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 9,
			answerNames: `pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pAccountName pAccount
				pP2PBillNo pRealFreezeAmt pCompenAmt pIpsTime pStatus pMemo1 pMemo2 pMemo3`,
			response: &ips.RegisterGuarantorResponse{
				Reply: postedReply(ips.OpRegisterGuarantor, "MG00000F", "G20141213000001"), Date: day(), BidNo: "BID000001",
				Amount: 50_000_00, Margin: 10_000_00, Profit: 300_00, AccountType: ips.AccountOrganisation,
				AccountName: "示例担保有限公司", Account: "900001", IPSBillNo: "GUA20141213000077",
				FrozenMargin: 10_000_00, Compensated: 2, IPSTime: at(10, 0, 1), Status: ips.ClaimRunning,
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRegisterDebtTransfer, section: "4.6", scenarios: []int{6}, transport: ips.Redirect,
			url: "/CreditWeb/registerCretansfer.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.RegisterDebtTransferRequest{
				OrderNo: "D20141213000001", Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
				FromAccountType: ips.AccountPerson, FromName: "李四", FromAccount: "4021000000000002", FromIdentNo: "110101199001010002",
				ToAccountType: ips.AccountPerson, ToName: "赵六", ToAccount: "4021000000000004", ToIdentNo: "110101199001010004",
				CreditorOrderNo: "C20141213000001", FaceAmount: 10_000 * ips.Yuan, Price: 9_500 * ips.Yuan,
				FromFee: 5 * ips.Yuan, ToFee: 6 * ips.Yuan, Kind: ips.TransferWholeClaim,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/debt",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).RegisterDebtTransfer),
			requestNames: `pMerBillNo pMerDate pBidNo pContractNo pFromAccountType pFromName pFromAccount
				pFromIdentType pFromIdentNo pToAccountType pToAccountName pToAccount pToIdentType pToIdentNo pCreMerBillNo
				pCretAmt pPayAmt pFromFee pToFee pCretType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required:    16,
			answerNames: `* pP2PBillNo pIpsTime pBussType pStatus`,
			response: &ips.RegisterDebtTransferResponse{
				Reply: postedReply(ips.OpRegisterDebtTransfer, "MG00000F", "D20141213000001",
					ips.Element{Name: "pWebUrl", Text: "https://p2p.example.com/back"},
					ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/debt"}),
				Date: day(), BidNo: "BID000001", ContractNo: "HT000001",
				FromAccountType: "1", FromName: "李四", FromAccount: "4021000000000002", FromIdentType: "1", FromIdentNo: "110101199001010002",
				ToAccountType: "1", ToName: "赵六", ToAccount: "4021000000000004", ToIdentType: "1", ToIdentNo: "110101199001010004",
				CreditorOrderNo: "C20141213000001", FaceAmount: 10_000_00, Price: 9_500_00, FromFee: 5_00, ToFee: 6_00,
				Kind: ips.TransferWholeClaim, IPSBillNo: "DBT20141213000078", IPSTime: at(10, 0, 2), BusinessType: "1", Status: ips.ClaimEnded,
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpSignAutoBid, section: "4.7", scenarios: []int{16}, transport: ips.Redirect,
			url: "/CreditWeb/AutoNewSigning.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.SignAutoBidRequest{
				OrderNo: "S20141213000001", Date: day(), IdentNo: "110101199001010003", RealName: "王五", Account: "4021000000000003",
				ValidUnit: ips.PeriodMonths, Valid: 12, TermUnit: ips.PeriodDays, TermFrom: 30, TermTo: 360,
				AmountFrom: 1 * ips.Yuan, AmountTo: 20_000 * ips.Yuan, RateFrom: 5 * ips.Percent, RateTo: 20*ips.Percent + 25*ips.BasisPoint,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/sign",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).SignAutoBid),
			requestNames: `pMerBillNo pSigningDate pIdentNo pRealName pIpsAcctNo pValidType pValidDate pTrdCycleType
				pSTrdCycleValue pETrdCycleValue pSAmtQuota pEAmtQuota pSIRQuota pEIRQuota
				pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 16,
			answerNames: `pMerBillNo pSigningDate pP2PBillNo pIpsAuthNo pValidDate pSAmtQuota pEAmtQuota pSIRQuota
				pEIRQuota pIpsTime pMemo1 pMemo2 pMemo3`,
			response: &ips.SignAutoBidResponse{
				Reply: postedReply(ips.OpSignAutoBid, "MG00000F", "S20141213000001"), Date: day(), IPSBillNo: "SGN20141213000079",
				AuthNo: "AUTH000001", ValidUntil: ips.NewDate(2015, time.December, 13), AmountFrom: 1_00, AmountTo: 20_000_00,
				RateFrom: 5_00, RateTo: 20_25, IPSTime: at(10, 0, 3),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpSignAutoRepay, section: "4.8", scenarios: []int{17}, transport: ips.Redirect,
			url: "/CreditWeb/RepaymentSigning.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.SignAutoRepayRequest{
				OrderNo: "S20141213000002", Date: day(), IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				ValidUnit: ips.PeriodUnlimited, Valid: 0,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/sign",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).SignAutoRepay),
			requestNames: `pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pValidType pValidDate
				pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 8,
			answerNames: `pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pP2PBillNo pIpsAuthNo
				pIpsTime pMemo1 pMemo2 pMemo3`,
			response: &ips.SignAutoRepayResponse{
				Reply: postedReply(ips.OpSignAutoRepay, "MG00000F", "S20141213000002"), Date: day(), IdentType: "1",
				IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "SGN20141213000080",
				AuthNo: "AUTH000002", IPSTime: at(10, 0, 4),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRecharge, section: "4.9", scenarios: []int{10, 11}, transport: ips.Redirect,
			url: "/CreditWeb/doDpTrade.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.RechargeRequest{
				OrderNo: "R20141213000001", AccountType: ips.AccountPerson, IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002",
				Date: day(), Amount: 3_050 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", Fee: 1 * ips.Yuan, FeePayer: ips.UserPaysFee,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/recharge",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).Recharge),
			requestNames: `pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pChannelType pTrdBnkCode
				pMerFee pIpsFeeType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 10,
			answerNames: `pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pTrdBnkCode pIpsBillNo
				pMemo1 pMemo2 pMemo3`,
			response: &ips.RechargeResponse{
				Reply: postedReply(ips.OpRecharge, "MG00000F", "R20141213000001"), AccountType: "1", IdentNo: "110101199001010002", RealName: "李四",
				Account: "4021000000000002", Date: day(), Amount: 3_050_00, BankCode: "00004", IPSBillNo: "NT2014121371283111",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpTransfer, section: "4.10", scenarios: []int{4, 5, 6, 8, 9}, transport: ips.WebService,
			url: "/CreditWS/Service.asmx", action: "Transfer", prefix: "p",
			success: done, pending: processing,
			example: callExample(ips.TransferRequest{
				OrderNo: "T20141213000001", BidNo: "BID000001", Date: day(), Type: ips.TransferInvestment, Mode: ips.TransferBatched,
				Rows: []ips.TransferRow{
					{OriginalOrderNo: "C20141213000001", Amount: 10_000 * ips.Yuan, FromAccountType: ips.AccountPerson, FromAccount: "4021000000000002",
						FromFee: 10 * ips.Yuan, ToAccountType: ips.AccountPerson, ToAccount: "4021000000000001", ToFee: 100 * ips.Yuan},
					{OriginalOrderNo: "C20141213000002", Amount: 10_000 * ips.Yuan, FromAccount: "4021000000000003", ToAccount: "4021000000000001"},
				},
				NotifyURL: "https://p2p.example.com/s2s/transfer",
				Memos:     ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).Transfer),
			requestNames: `pMerBillNo pBidNo pDate pTransferType pTransferMode pDetails/pRow pDetails/pRow
				pS2SUrl pMemo1 pMemo2 pMemo3`,
			rowNames:    `pOriMerBillNo pTrdAmt pFAcctType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee`,
			required:    6,
			answerNames: `pMerBillNo pBidNo pDate pTransferType pTransferMode pIpsBillNo pIpsTime pDetails/pRow pMemo1 pMemo2 pMemo3`,
			answerRowNames: `pOriMerBillNo pTrdAmt pFAccType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee
				pIpsDetailBillNo pIpsDetailTime pIpsFee pStatus pMessage`,
			response: &ips.TransferResponse{
				Reply: postedReply(ips.OpTransfer, "MG00000F", "T20141213000001", ips.Element{Name: "pDetails/pRow[2]/pNew", Text: "新"}),
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
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRepay, section: "4.11", scenarios: []int{7}, transport: ips.Redirect,
			url: "/CreditWeb/RepaymentNewTrade.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.RepayRequest{
				BidNo: "BID000001", Date: day(), OrderNo: "P20141213000001", Account: "4021000000000001",
				Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 2*ips.Yuan + 50*ips.Fen, Rows: exampleRows(),
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/repay",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).Repay),
			requestNames: `pBidNo pRepaymentDate pMerBillNo pRepayType pIpsAuthNo pOutAcctNo pOutAmt pOutFee
				pDetails/pRow pDetails/pRow pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			rowNames:       `pCreMerBillNo pInAcctNo pInFee pOutInfoFee pInAmt`,
			required:       8,
			answerNames:    `pBidNo pRepaymentDate pMerBillNo pIpsBillNo pIpsDate pOutIpsFee pDetails/pRow pMemo1 pMemo2 pMemo3`,
			answerRowNames: `pCreMerBillNo pInAcctNo pInFee pStatus pMessage`,
			response:       repayResponse(ips.OpRepay, "P20141213000001"),
		},
		{
			op: ips.OpAutoRepay, section: "4.11", scenarios: []int{7}, transport: ips.ServerPosted,
			url: "/CreditWeb/RepaymentNewTrade.aspx", prefix: "p",
			success: done, pending: processing,
			example: callExample(ips.AutoRepayRequest{
				BidNo: "BID000001", Date: day(), OrderNo: "P20141213000002", AuthNo: "AUTH000002", Account: "4021000000000001",
				Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 2*ips.Yuan + 50*ips.Fen, Rows: exampleRows(),
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/repay",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).AutoRepay),
			requestNames: `pBidNo pRepaymentDate pMerBillNo pRepayType pIpsAuthNo pOutAcctNo pOutAmt pOutFee
				pDetails/pRow pDetails/pRow pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			rowNames:       `pCreMerBillNo pInAcctNo pInFee pOutInfoFee pInAmt`,
			required:       9,
			answerNames:    `pBidNo pRepaymentDate pMerBillNo pIpsBillNo pIpsDate pOutIpsFee pDetails/pRow pMemo1 pMemo2 pMemo3`,
			answerRowNames: `pCreMerBillNo pInAcctNo pInFee pStatus pMessage`,
			response:       repayResponse(ips.OpAutoRepay, "P20141213000002"),
		},
		{
			op: ips.OpUnfreezeMargin, section: "4.12", scenarios: []int{14, 15}, transport: ips.WebService,
			url: "/CreditWS/Service.asmx", action: "GuaranteeUnfreeze", prefix: "arg",
			success: done, pending: processing,
			example: callExample(ips.UnfreezeMarginRequest{
				OrderNo: "U20141213000001", BidNo: "BID000001", Date: day(), Amount: 5_000 * ips.Yuan, Owner: ips.BorrowerMargin,
				AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				NotifyURL: "https://p2p.example.com/s2s/unfreeze",
				Memos:     ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).UnfreezeMargin),
			requestNames: `pMerBillNo pBidNo pUnfreezeDate pUnfreezeAmt pUnfreezenType pAcctType pIdentNo pRealName
				pIpsAcctNo pS2SUrl pMemo1 pMemo2 pMemo3`,
			required:    9,
			answerNames: `* pIpsBillNo pIpsTime`,
			response: &ips.UnfreezeMarginResponse{
				Reply: postedReply(ips.OpUnfreezeMargin, "MG00000F", "U20141213000001", ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/unfreeze"}),
				BidNo: "BID000001", Date: day(), Amount: 5_000_00, Owner: ips.BorrowerMargin, AccountType: "1",
				IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "UNF20141213000081", IPSTime: at(10, 0, 6),
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpWithholdingRecharge, section: "4.13", scenarios: []int{12}, transport: ips.WebService,
			url: "/CreditWS/Service.asmx", action: "CoDpTrade", prefix: "arg",
			success: done, pending: processing,
			example: callExample(ips.WithholdingRechargeRequest{
				OrderNo: "W20141213000001", Date: day(), Amount: 1_016*ips.Yuan + 71*ips.Fen, Fee: 0, FeePayer: ips.PlatformPaysFee,
				AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				NotifyURL: "https://p2p.example.com/s2s/withholding",
				Memos:     ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).WithholdingRecharge),
			requestNames: `pMerBillNo pTrdDate pTrdAmt pMerFee pIpsFeeType pAcctType pIdentNo pRealName
				pIpsAcctNo pS2SUrl pMemo1 pMemo2 pMemo3`,
			required:    8,
			answerNames: `* pIpsBillNo pIpsTime pTrdRealAmt pIpsFee pTrdBnkCode`,
			response: &ips.WithholdingRechargeResponse{
				Reply: postedReply(ips.OpWithholdingRecharge, "MG00000F", "W20141213000001", ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/withholding"}),
				Date:  day(), Amount: 1_016_71, Fee: 1_00, FeePayer: ips.PlatformPaysFee, AccountType: "1",
				IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001", IPSBillNo: "WHD20141213000082", IPSTime: at(10, 0, 7),
				Credited: 1_015_71, IPSFee: 2_00, BankCode: "00083",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpWithdraw, section: "4.14", scenarios: []int{13}, transport: ips.Redirect,
			url: "/CreditWeb/doDwTrade.aspx", prefix: "p",
			success: done, pending: processing,
			example: formExample(ips.WithdrawRequest{
				OrderNo: "X20141213000001", AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				Date: day(), Amount: 500 * ips.Yuan, Fee: 2 * ips.Yuan, FeePayer: ips.UserPaysFee,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/withdraw",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).Withdraw),
			requestNames: `pMerBillNo pAcctType pOutType pBidNo pContractNo pDwTo pIdentNo pRealName pIpsAcctNo pDwDate
				pTrdAmt pMerFee pIpsFeeType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
			required: 9,
			answerNames: `pMerBillNo pAcctType pOutType pBidNo pContractNo pDwTo pIdentNo pRealName pIpsAcctNo pDwDate
				pTrdAmt pIpsBillNo pMemo1 pMemo2 pMemo3`,
			response: &ips.WithdrawResponse{
				Reply: postedReply(ips.OpWithdraw, "MG00000F", "X20141213000001"), AccountType: "1", OutType: "2", BidNo: "BID000001", ContractNo: "HT000001",
				DirectedTo: "4021000000000002", IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				Date: day(), Amount: 500_00, IPSBillNo: "WD2014121371340309",
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpRepayOldBid, transport: ips.Redirect,
			url: "/CreditWeb/repaymentTrade.aspx", prefix: "p",
			success: []ips.Code{"0000", "MG00000F"}, pending: processing,
			example: formExample(ips.RepayOldBidRequest{
				BidNo: "OLD000001", ContractNo: "HT000001", Date: day(), OrderNo: "O20141213000001", ReleaseOrderNo: "F20140601000001",
				AccountType: ips.AccountPerson, IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
				Fee: 1 * ips.Yuan, Amount: 300 * ips.Yuan,
				ReturnURL: "https://p2p.example.com/back", NotifyURL: "https://p2p.example.com/s2s/old",
				Rows: []ips.RepayOldBidRow{
					{AccountType: ips.AccountPerson, Account: "4021000000000002", Fee: 1 * ips.Yuan, Amount: 100 * ips.Yuan},
					{AccountType: ips.AccountPerson, Account: "4021000000000003", Amount: 200 * ips.Yuan},
				},
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
			}, (*ips.Client).RepayOldBid),
			requestNames: `pBidNo pContractNo pRepaymentDate pMerBillNo pMerchantBillNo pFAcctType pFIdentNo pFRealName
				pFIpsAcctNo pFTrdFee pFTrdAmt pWebUrl pS2SUrl pDetails/pRow pDetails/pRow pMemo1 pMemo2 pMemo3`,
			rowNames:       `pTAcctType pTIpsAcctNo pTTrdFee pTTrdAmt`,
			required:       12,
			answerNames:    `pBidNo pContractNo pRepaymentDate pMerBillNo pMerchantBillNo pIpsBillNo pDetails/pRow pMemo1 pMemo2 pMemo3`,
			answerRowNames: `pTAcctType pTIpsAcctNo pTTrdFee pTTrdAmt pStatus pMessage`,
			response: &ips.RepayOldBidResponse{
				Reply: postedReply(ips.OpRepayOldBid, "0000", "O20141213000001"),
				BidNo: "OLD000001", ContractNo: "HT000001", Date: day(), ReleaseOrderNo: "F20140601000001", IPSBillNo: "OLD2014121300031415",
				Rows: []ips.RepayOldBidRowResult{
					{AccountType: "1", Account: "4021000000000002", Fee: 1_00, Amount: 100_00, Status: ips.RowDone, Message: "操作成功"},
					{AccountType: "1", Account: "4021000000000003", Fee: 50, Amount: 200_00, Status: ips.RowFailed, Message: "<失败>"},
				},
				Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
			},
		},
		{
			op: ips.OpQueryBalance, transport: ips.QueryService,
			url: "/CreditWS/Service.asmx", action: "QueryForAccBalance", prefix: "arg",
			success: []ips.Code{"0000"},
			example: callExample(ips.QueryBalanceRequest{Account: "4021000000000001"}, func(c *ips.Client, ctx context.Context, q ips.QueryBalanceRequest) (*ips.BalanceResponse, error) {
				return c.QueryBalance(ctx, q.Account)
			}),
			requestNames: `argMerCode argIpsAccount argSign`,
			required:     1,
			answerNames:  `pMerCode pErrCode pErrMsg pIpsAcctNo pBalance pLock pNeedstl pSign`,
			response: &ips.BalanceResponse{
				Reply: queryReply(ips.OpQueryBalance, "查询成功"), Account: "4021000000000001", Available: 1_016_71, Frozen: 500_00, Unsettled: -50,
				Signature: ips.SignatureTagged,
			},
		},
		{
			op: ips.OpQueryBanks, scenarios: []int{10}, transport: ips.QueryService,
			url: "/CreditWS/Service.asmx", action: "GetBankList", prefix: "arg",
			success: []ips.Code{"0000"},
			example: callExample(ips.QueryBanksRequest{}, func(c *ips.Client, ctx context.Context, _ ips.QueryBanksRequest) (*ips.BanksResponse, error) {
				return c.QueryBanks(ctx)
			}),
			requestNames: `argMerCode argSign`,
			answerNames:  `pMerCode pErrCode pErrMsg pBankList pSign`,
			response: &ips.BanksResponse{
				Reply: queryReply(ips.OpQueryBanks, "查询成功"), List: "示例银行|EXB|00004#样本 & 银行|SMP|00083",
				Banks:     []ips.Bank{{Name: "示例银行", Alias: "EXB", Code: "00004"}, {Name: "样本 & 银行", Alias: "SMP", Code: "00083"}},
				Signature: ips.SignatureTagged,
			},
		},
		{
			op: ips.OpQueryAccount, transport: ips.QueryService,
			url: "/CreditWSQuery/Service.asmx", action: "QueryMerUserInfo", prefix: "arg",
			success: []ips.Code{"0000"},
			example: callExample(ips.QueryAccountRequest{Account: "4021000000000001", Memo: "备注 & <memo>"}, func(c *ips.Client, ctx context.Context, q ips.QueryAccountRequest) (*ips.AccountResponse, error) {
				resp, err := c.Call(ctx, q) // the method has no memo
				account, _ := resp.(*ips.AccountResponse)
				return account, err
			}),
			requestNames: `argMerCode argIpsAccount argSign argMemo`,
			required:     1,
			answerNames: `pMerCode pErrCode pIpsAcctNo pEmail pStatus pUCardStatus pBankName pBankCard
				pBCardStatus pSignStatus pMemo pSign`,
			response: &ips.AccountResponse{
				Reply: queryReply(ips.OpQueryAccount, ""), Account: "4021000000000001", Email: "zhangsan@example.com", Status: ips.AccountActive,
				IdentStatus: "02", BankName: "示例银行", BankCard: "****0001", CardStatus: "01", SignStatus: "03", Memo: "备注",
				Signature: ips.SignaturePartial,
			},
		},
		{
			op: ips.OpQueryTrade, transport: ips.QueryService,
			url: "/CreditWSQuery/Service.asmx", action: "QueryTrade", prefix: "p",
			success:      done,
			example:      callExample(ips.QueryTradeRequest{OrderNo: "R20141213000001", Type: ips.TradeRecharge}, (*ips.Client).QueryTrade),
			requestNames: `pMerBillNo pTradeType`,
			required:     2,
			answerNames:  `pMerBillNo pTradeType pTradeStatue pIpsBillNo`,
			response: &ips.QueryTradeResponse{
				Reply: ips.Reply{
					Operation: ips.OpQueryTrade, Via: ips.Synchronous, MerchantCode: "808801", Code: "MG00000F", Message: "操作成功！",
					Outcome: ips.Success, OrderNo: "R20141213000001",
				},
				Type: ips.TradeRecharge, Status: ips.TradeInWork, IPSBillNo: "CZ20141213000080", Signature: ips.SignatureSealed,
			},
		},
	}
}

func formExample[Q ips.Request](req Q, method func(*ips.Client, Q) (*ips.Form, error)) example {
	return example{pointerTo(req), func(c *ips.Client, request ips.Request) (*ips.Form, ips.Response, error) {
		form, err := method(c, *any(request).(*Q))
		return form, nil, err
	}}
}

func callExample[Q ips.Request, R ips.Response](req Q, method func(*ips.Client, context.Context, Q) (R, error)) example {
	return example{pointerTo(req), func(c *ips.Client, request ips.Request) (*ips.Form, ips.Response, error) {
		resp, err := method(c, context.Background(), *any(request).(*Q))
		if reflect.ValueOf(resp).IsNil() {
			return nil, nil, err
		}
		return nil, resp, err
	}}
}

// pointerTo is a pointer to a copy, which is a request too.
func pointerTo[Q ips.Request](req Q) ips.Request { return any(&req).(ips.Request) }

func day() ips.Date { return ips.NewDate(2014, time.December, 13) }

func at(hour, minute, second int) ips.Time {
	return ips.Time{Time: time.Date(2014, time.December, 13, hour, minute, second, 0, ips.China)}
}

func bidRequest() ips.RegisterBidRequest {
	return ips.RegisterBidRequest{
		OrderNo: "B20141213000001", BidNo: "BID000001", Date: day(),
		Amount: 50_000 * ips.Yuan, Margin: 5_000 * ips.Yuan, Rate: 12*ips.Percent + 50*ips.BasisPoint,
		TermUnit: ips.TermMonths, Term: 12, Purpose: "购房 & 装修 <新居>", RepayMode: ips.RepayInterestFirst,
		Fee: 500*ips.Yuan + 5*ips.Fen, AccountType: ips.AccountPerson,
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		ReturnURL: "https://p2p.example.com/back?a=1&b=2", NotifyURL: "https://p2p.example.com/s2s/bid",
		Memos: ips.Memos{Memo1: "备注一", Memo2: "备注二", Memo3: "备注三"},
	}
}

func exampleRows() []ips.RepayRow {
	return []ips.RepayRow{
		{CreditorOrderNo: "C20141213000001", Account: "4021000000000002", Fee: 1 * ips.Yuan, BorrowerFee: 2 * ips.Yuan, Amount: 1_000 * ips.Yuan},
		{CreditorOrderNo: "C20141213000002", Account: "4021000000000003", Fee: 0, BorrowerFee: 50 * ips.Fen, Amount: 16*ips.Yuan + 71*ips.Fen},
	}
}

// postedReply is what an answer that IPS posts has besides its document.
func postedReply(op ips.Operation, code ips.Code, orderNo string, extra ...ips.Element) ips.Reply {
	return ips.Reply{
		Operation: op, Via: ips.ServerToServer, MerchantCode: "808801", Code: code, Message: "操作成功！",
		Outcome: ips.Success, OrderNo: orderNo, Extra: extra,
	}
}

// queryReply is what the answer to a query has besides its own elements.
func queryReply(op ips.Operation, message string) ips.Reply {
	return ips.Reply{
		Operation: op, Via: ips.Synchronous, MerchantCode: "808801", Code: "0000", Message: message, Outcome: ips.Success,
	}
}

// bidResponse is the answer to a bid's registration and to its end.
func bidResponse(op ips.Operation, code ips.Code, kind string, status ips.BidStatus, frozen ips.Amount) *ips.BidResponse {
	return &ips.BidResponse{
		Reply: postedReply(op, code, "B20141213000001",
			ips.Element{Name: "pWebUrl", Text: "https://p2p.example.com/back?a=1&b=2"},
			ips.Element{Name: "pS2SUrl", Text: "https://p2p.example.com/s2s/bid"}),
		BidNo: "BID000001", Date: day(), Amount: 50_000_00, Margin: 5_000_00, Rate: 12_50, TermUnit: "3", Term: 12,
		Purpose: "购房 & 装修", RepayMode: "2", OperationType: kind, Fee: 500_05, AccountType: "1",
		IdentNo: "110101199001010001", RealName: "张三", Account: "4021000000000001",
		IPSBillNo: "BID20141213052787", IPSTime: at(23, 59, 59), Status: status, FrozenMargin: frozen,
		Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
	}
}

// repayResponse is the answer to a repayment, manual or automatic.
func repayResponse(op ips.Operation, orderNo string) *ips.RepayResponse {
	return &ips.RepayResponse{
		Reply: postedReply(op, "MG00000F", orderNo), BidNo: "BID000001", Date: day(), IPSBillNo: "CRY2014121300031415",
		IPSDate: ips.NewDate(2014, time.December, 14), IPSFee: 30,
		Rows: []ips.RepayRowResult{
			{CreditorOrderNo: "C20141213000001", Account: "4021000000000002", Fee: 1_00, Status: ips.RowDone, Message: "操作成功"},
			{CreditorOrderNo: "C20141213000002", Account: "4021000000000003", Fee: 50, Status: ips.RowFailed, Message: "<失败>"},
		},
		Memos: ips.Memos{Memo1: "备注一", Memo2: "备注 & 二", Memo3: "备注三"},
	}
}

// exampleOf returns the entry of one operation.
func exampleOf(t testing.TB, op ips.Operation) operationTest {
	t.Helper()
	for _, tt := range operationTests() {
		if tt.op == op {
			return tt
		}
	}
	t.Fatalf("operationTests has no entry for %s", op)
	return operationTest{}
}

// code is that of the golden answer.
func (tt operationTest) code() ips.Code {
	if tt.response == nil { // TestOperationTests says so
		return ""
	}
	return tt.response.Base().Code
}

// orderNo is the order number of the example's request.
func (e example) orderNo() string {
	if f := reflect.ValueOf(e.request).Elem().FieldByName("OrderNo"); f.IsValid() {
		return f.String()
	}
	return ""
}
