package ips_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// wireNames are the elements of each request in the order of the interface
// manual. They are typed from the manual's tables and not derived from the
// code, so that they can disagree with it. "pDetails/pRow" stands for the names
// of a row.
var wireNames = map[ips.Operation]struct{ request, row string }{
	ips.OpOpenAccount: {request: `pMerBillNo pIdentType pIdentNo pRealName pMobileNo pEmail pSmDate
		pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterBid: {request: `pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType pTrdCycleValue
		pLendPurpose pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo
		pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpEndBid: {request: `pMerBillNo pBidNo pRegDate pLendAmt pGuaranteesAmt pTrdLendRate pTrdCycleType pTrdCycleValue
		pLendPurpose pRepayMode pOperationType pLendFee pAcctType pIdentNo pRealName pIpsAcctNo
		pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterCreditor: {request: `pMerBillNo pMerDate pBidNo pContractNo pRegType pAuthNo pAuthAmt pTrdAmt pFee
		pAcctType pIdentNo pRealName pAccount pUse pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpAutoBid: {request: `pMerBillNo pMerDate pBidNo pContractNo pRegType pAuthNo pAuthAmt pTrdAmt pFee
		pAcctType pIdentNo pRealName pAccount pUse pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterGuarantor: {request: `pMerBillNo pMerDate pBidNo pAmount pMarginAmt pProFitAmt pAcctType pFromIdentNo
		pAccountName pAccount pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRegisterDebtTransfer: {request: `pMerBillNo pMerDate pBidNo pContractNo pFromAccountType pFromName pFromAccount
		pFromIdentType pFromIdentNo pToAccountType pToAccountName pToAccount pToIdentType pToIdentNo pCreMerBillNo
		pCretAmt pPayAmt pFromFee pToFee pCretType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpSignAutoBid: {request: `pMerBillNo pSigningDate pIdentNo pRealName pIpsAcctNo pValidType pValidDate pTrdCycleType
		pSTrdCycleValue pETrdCycleValue pSAmtQuota pEAmtQuota pSIRQuota pEIRQuota
		pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpSignAutoRepay: {request: `pMerBillNo pSigningDate pIdentType pIdentNo pRealName pIpsAcctNo pValidType pValidDate
		pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRecharge: {request: `pMerBillNo pAcctType pIdentNo pRealName pIpsAcctNo pTrdDate pTrdAmt pChannelType pTrdBnkCode
		pMerFee pIpsFeeType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpTransfer: {request: `pMerBillNo pBidNo pDate pTransferType pTransferMode pDetails/pRow pDetails/pRow
		pS2SUrl pMemo1 pMemo2 pMemo3`,
		row: `pOriMerBillNo pTrdAmt pFAcctType pFIpsAcctNo pFTrdFee pTAcctType pTIpsAcctNo pTTrdFee`},
	ips.OpRepay: {request: `pBidNo pRepaymentDate pMerBillNo pRepayType pIpsAuthNo pOutAcctNo pOutAmt pOutFee
		pDetails/pRow pDetails/pRow pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
		row: `pCreMerBillNo pInAcctNo pInFee pOutInfoFee pInAmt`},
	ips.OpAutoRepay: {request: `pBidNo pRepaymentDate pMerBillNo pRepayType pIpsAuthNo pOutAcctNo pOutAmt pOutFee
		pDetails/pRow pDetails/pRow pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`,
		row: `pCreMerBillNo pInAcctNo pInFee pOutInfoFee pInAmt`},
	ips.OpUnfreezeMargin: {request: `pMerBillNo pBidNo pUnfreezeDate pUnfreezeAmt pUnfreezenType pAcctType pIdentNo pRealName
		pIpsAcctNo pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpWithholdingRecharge: {request: `pMerBillNo pTrdDate pTrdAmt pMerFee pIpsFeeType pAcctType pIdentNo pRealName
		pIpsAcctNo pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpWithdraw: {request: `pMerBillNo pAcctType pOutType pBidNo pContractNo pDwTo pIdentNo pRealName pIpsAcctNo pDwDate
		pTrdAmt pMerFee pIpsFeeType pWebUrl pS2SUrl pMemo1 pMemo2 pMemo3`},
	ips.OpRepayOldBid: {request: `pBidNo pContractNo pRepaymentDate pMerBillNo pMerchantBillNo pFAcctType pFIdentNo pFRealName
		pFIpsAcctNo pFTrdFee pFTrdAmt pWebUrl pS2SUrl pDetails/pRow pDetails/pRow pMemo1 pMemo2 pMemo3`,
		row: `pTAcctType pTIpsAcctNo pTTrdFee pTTrdAmt`},
	ips.OpQueryBalance: {request: `argMerCode argIpsAccount argSign`},
	ips.OpQueryBanks:   {request: `argMerCode argSign`},
	ips.OpQueryAccount: {request: `argMerCode argIpsAccount argSign argMemo`},
}

// wireEndpoints are the addresses below https://ips.example.com and the names
// of the envelope, typed from the manual like wireNames.
var wireEndpoints = map[ips.Operation]struct {
	url, action string // action is empty for forms
	arg         bool
}{
	ips.OpOpenAccount:          {"/CreditWeb/CreateNewIpsAcct.aspx", "", true},
	ips.OpRegisterBid:          {"/CreditWeb/registerSubject.aspx", "", false},
	ips.OpEndBid:               {"/CreditWeb/registerSubject.aspx", "", false},
	ips.OpRegisterCreditor:     {"/CreditWeb/registerCreditor.aspx", "", false},
	ips.OpAutoBid:              {"/CreditWeb/registerCreditor.aspx", "", false},
	ips.OpRegisterGuarantor:    {"/CreditWeb/registerGuarantor.aspx", "", false},
	ips.OpRegisterDebtTransfer: {"/CreditWeb/registerCretansfer.aspx", "", false},
	ips.OpSignAutoBid:          {"/CreditWeb/AutoNewSigning.aspx", "", false},
	ips.OpSignAutoRepay:        {"/CreditWeb/RepaymentSigning.aspx", "", false},
	ips.OpRecharge:             {"/CreditWeb/doDpTrade.aspx", "", false},
	ips.OpTransfer:             {"/CreditWS/Service.asmx", "Transfer", false},
	ips.OpRepay:                {"/CreditWeb/RepaymentNewTrade.aspx", "", false},
	ips.OpAutoRepay:            {"/CreditWeb/RepaymentNewTrade.aspx", "", false},
	ips.OpUnfreezeMargin:       {"/CreditWS/Service.asmx", "GuaranteeUnfreeze", true},
	ips.OpWithholdingRecharge:  {"/CreditWS/Service.asmx", "CoDpTrade", true},
	ips.OpWithdraw:             {"/CreditWeb/doDwTrade.aspx", "", false},
	ips.OpRepayOldBid:          {"/CreditWeb/repaymentTrade.aspx", "", false},
	ips.OpQueryBalance:         {"/CreditWS/Service.asmx", "QueryForAccBalance", true},
	ips.OpQueryBanks:           {"/CreditWS/Service.asmx", "GetBankList", true},
	ips.OpQueryAccount:         {"/CreditWSQuery/Service.asmx", "QueryMerUserInfo", true},
}

// sentRequest is a request as it left the client.
type sentRequest struct {
	url      string
	action   string   // SOAPAction
	names    []string // of the form or of the call's parameters
	values   []string
	envelope []byte // whole SOAP envelope
}

// capture sends the example and returns what went out.
func capture(t *testing.T, e example) sentRequest {
	t.Helper()
	c, r := recordingClient(t, "", "")
	form, _, err := e.send(c, e.request)
	if form != nil {
		require.NoError(t, err)
		require.Zero(t, r.calls, "a form needs no network")
		s := sentRequest{url: form.Action()}
		for _, f := range form.Fields() {
			s.names, s.values = append(s.names, f.Name), append(s.values, f.Value)
		}
		return s
	}
	require.ErrorContains(t, err, "recorder has no answer")
	require.Equal(t, 1, r.calls)
	require.Equal(t, "POST", r.request.Method)
	s := sentRequest{url: r.request.URL.String(), action: r.request.Header.Get("SOAPAction")}
	if s.action == "" {
		require.Equal(t, "application/x-www-form-urlencoded", r.request.Header.Get("Content-Type"))
		v, err := url.ParseQuery(string(r.sent))
		require.NoError(t, err)
		for _, name := range []string{"argMerCode", "arg3DesXmlPara", "argSign", "pMerCode", "p3DesXmlPara", "pSign"} {
			if v.Has(name) {
				s.names, s.values = append(s.names, name), append(s.values, v.Get(name))
			}
		}
		require.Len(t, v, len(s.names))
		return s
	}
	require.Equal(t, "text/xml; charset=utf-8", r.request.Header.Get("Content-Type"))
	s.envelope = r.sent
	var call struct {
		Body struct {
			Call struct {
				XMLName xml.Name
				Params  []struct {
					XMLName xml.Name
					Text    string `xml:",chardata"`
				} `xml:",any"`
			} `xml:",any"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	require.NoError(t, xml.Unmarshal(r.sent, &call))
	require.Equal(t, xml.Name{Space: "http://tempuri.org/", Local: wireEndpoints[e.op].action}, call.Body.Call.XMLName)
	for _, p := range call.Body.Call.Params {
		require.Equal(t, "http://tempuri.org/", p.XMLName.Space)
		s.names, s.values = append(s.names, p.XMLName.Local), append(s.values, p.Text)
	}
	return s
}

// elementNames lists the elements of a document in order, rows as
// "pDetails/pRow", and the names of each row. It uses the standard library's
// decoder only.
func elementNames(t *testing.T, document []byte) (names []string, rows [][]string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	var path []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return names, rows
		}
		require.NoError(t, err)
		switch x := token.(type) {
		case xml.StartElement:
			require.Empty(t, x.Attr)
			require.Empty(t, x.Name.Space)
			path = append(path, x.Name.Local)
			switch {
			case len(path) == 2 && x.Name.Local != "pDetails":
				names = append(names, x.Name.Local)
			case len(path) == 3:
				names = append(names, strings.Join(path[1:], "/"))
				rows = append(rows, nil)
			case len(path) == 4:
				rows[len(rows)-1] = append(rows[len(rows)-1], x.Name.Local)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// TestRequestGolden pins the bytes of every request, and its names and their
// order against the manual's.
func TestRequestGolden(t *testing.T) {
	t.Parallel()
	require.Len(t, examples(), len(ips.Operations()))
	for _, e := range examples() {
		t.Run(string(e.op), func(t *testing.T) {
			t.Parallel()
			sent := capture(t, e)
			at := wireEndpoints[e.op]
			assert.Equal(t, "https://ips.example.com"+at.url, sent.url)
			if at.action == "" {
				assert.Empty(t, sent.action)
			} else {
				assert.Equal(t, `"http://tempuri.org/`+at.action+`"`, sent.action)
			}
			want := wireNames[e.op]
			if info(t, e.op).Transport == ips.QueryService {
				assert.Equal(t, strings.Fields(want.request), sent.names)
				golden(t, string(e.op)+".request.xml", sent.envelope)
				return
			}
			if at.arg {
				require.Equal(t, []string{"argMerCode", "arg3DesXmlPara", "argSign"}, sent.names)
			} else {
				require.Equal(t, []string{"pMerCode", "p3DesXmlPara", "pSign"}, sent.names)
			}
			keys := vendorKeys(t)
			assert.Equal(t, "808801", sent.values[0])
			assert.NotContains(t, sent.values[1], "\n")
			require.True(t, keys.VerifyRequest(sent.values[1], sent.values[2]))
			document, err := keys.Decrypt(sent.values[1])
			require.NoError(t, err)
			golden(t, string(e.op)+".request.xml", document)

			names, rows := elementNames(t, document)
			assert.Equal(t, strings.Fields(want.request), names)
			for _, row := range rows {
				assert.Equal(t, strings.Fields(want.row), row)
			}
		})
	}
}

// TestVariantsDiffer makes sure that what sets the variants of one endpoint
// apart really is on the wire.
func TestVariantsDiffer(t *testing.T) {
	t.Parallel()
	for op, want := range map[ips.Operation]string{
		ips.OpRegisterBid:       "<pOperationType>1</pOperationType>",
		ips.OpEndBid:            "<pOperationType>2</pOperationType>",
		ips.OpRegisterCreditor:  "<pRegType>1</pRegType><pAuthNo></pAuthNo>",
		ips.OpAutoBid:           "<pRegType>2</pRegType><pAuthNo>AUTH000001</pAuthNo>",
		ips.OpRepay:             "<pRepayType>1</pRepayType><pIpsAuthNo></pIpsAuthNo>",
		ips.OpAutoRepay:         "<pRepayType>2</pRepayType><pIpsAuthNo>AUTH000002</pIpsAuthNo>",
		ips.OpOpenAccount:       "<pIdentType>1</pIdentType>",
		ips.OpSignAutoRepay:     "<pValidType>N</pValidType><pValidDate>0</pValidDate>",
		ips.OpWithdraw:          "<pOutType>1</pOutType><pBidNo></pBidNo><pContractNo></pContractNo><pDwTo></pDwTo>",
		ips.OpTransfer:          "<pTransferType>1</pTransferType><pTransferMode>2</pTransferMode>",
		ips.OpRegisterGuarantor: "<pAcctType>0</pAcctType>",
	} {
		sent := capture(t, exampleOf(t, op))
		document, err := vendorKeys(t).Decrypt(sent.values[1])
		require.NoError(t, err)
		assert.Contains(t, string(document), want, op)
	}
}

// TestSOAPGolden pins the bytes of one web service request.
func TestSOAPGolden(t *testing.T) {
	t.Parallel()
	golden(t, "unfreeze-margin.soap.xml", capture(t, exampleOf(t, ips.OpUnfreezeMargin)).envelope)
}

// TestFormGolden pins the bytes of one page.
func TestFormGolden(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpOpenAccount)
	form, _, err := e.send(offlineClient(t), e.request)
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, form.Render(&page, ""))
	golden(t, "open-account.form.html", page.Bytes())
}

// TestQuerySignatures checks the three formulae by hand: merchant code, account
// if there is one, cert; never the memo.
func TestQuerySignatures(t *testing.T) {
	t.Parallel()
	for op, signed := range map[ips.Operation][]string{
		ips.OpQueryBalance: {"808801", "4021000000000001"},
		ips.OpQueryBanks:   {"808801"},
		ips.OpQueryAccount: {"808801", "4021000000000001"},
	} {
		sent := capture(t, exampleOf(t, op))
		sign := sent.values[slices.Index(sent.names, "argSign")]
		assert.Equal(t, md5Hex(strings.Join(signed, "")+ips.TestMerchant().Cert), sign, op)
	}
}

// TestDefaultURLs checks what a request without URLs gets.
func TestDefaultURLs(t *testing.T) {
	t.Parallel()
	for _, e := range examples() {
		if info(t, e.op).Transport == ips.QueryService {
			continue
		}
		set(t, e.request, "NotifyURL", "")
		wantReturn := ""
		if info(t, e.op).Transport != ips.WebService {
			set(t, e.request, "ReturnURL", "")
			wantReturn = "<pWebUrl>https://p2p.example.com/ips/return/" + string(e.op) + "</pWebUrl>"
		}
		document, err := vendorKeys(t).Decrypt(capture(t, e).values[1])
		require.NoError(t, err)
		assert.Contains(t, string(document), wantReturn)
		assert.Contains(t, string(document), "<pS2SUrl>https://p2p.example.com/ips/notify/"+string(e.op)+"</pS2SUrl>")
	}
}
