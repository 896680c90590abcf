package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// samplePath takes the answers of the sample orders, as a merchant would.
const samplePath = "/sample/"

// Sample fills the sandbox with something to look at: four people, a loan through
// half its life, an order that fails, a page and a text message that wait. Its
// orders are a merchant's, by default the first one's, and come in sealed as his
// do; what is told of them goes to the sandbox itself, at base. Another time there
// is nothing to add.
func (s *Sandbox) Sample(code, base string) error {
	m := s.merchants[cmp.Or(code, s.codes[0])]
	if m == nil {
		return engine.Wrong("sandbox: Sample: unknown merchant %q", "商户号 %q 不存在", code)
	}
	code = m.keys.MerCode()
	date := s.Now().In(engine.China).Format("20060102")
	// send sends an order, once, and returns the document of its answer.
	send := func(op, order string, rows []engine.Message, pairs ...string) (engine.Message, error) {
		if known, ok := s.engine.Order(code, op, order, false); ok {
			return known.Final.Body, nil
		}
		doc := engine.Message{{Name: "pMerBillNo", Value: order}, {Name: "pDetails", Rows: rows}, {Name: "pWebUrl", Value: base + samplePath + "back"},
			{Name: "pS2SUrl", Value: base + samplePath + "notify"}, {Name: "pMemo1"}, {Name: "pMemo2"}, {Name: "pMemo3"}}
		if rows == nil {
			doc = slices.Delete(doc, 1, 2)
		}
		for i := 0; i < len(pairs); i += 2 {
			doc = append(doc, engine.Field{Name: pairs[i], Value: pairs[i+1]})
		}
		body := m.keys.Encrypt(wire.WriteDocument(doc))
		req := request{via: messages.ViaPage, peer: "示例数据",
			fields: []wire.Pair{{Name: "pMerCode", Value: code}, {Name: "p3DesXmlPara", Value: body}, {Name: "pSign", Value: m.keys.SignRequest(body)}}}
		var ok bool
		if req.op, ok = wire.PageOperation(op + ".aspx"); !ok {
			req.via = messages.ViaSOAP
			for _, service := range s.services {
				if found, has := service.Find(op); has {
					req.op = found
				}
			}
		}
		res, err := s.received(context.Background(), req)
		known, taken := s.engine.Order(code, op, order, false)
		if err == nil && !taken {
			err = engine.Wrong("sandbox: Sample: %s: %s", "示例订单 %s 未能受理：%s", order, res.answer.Text)
		}
		return known.Final.Body, err
	}
	mode := false
	for _, info := range s.engine.Merchants() {
		if info.Merchant == code {
			mode = info.Auto
		}
	}
	if err := s.SetAuto(code, "", true); err != nil {
		return err
	}
	err := s.sampleOrders(code, date, send)
	if back := s.SetAuto(code, "", mode); err == nil {
		err = back
	}
	return err
}

type sampleSend func(op, order string, rows []engine.Message, pairs ...string) (engine.Message, error)

func (s *Sandbox) sampleOrders(code, date string, send sampleSend) error {
	names := []string{"张三", "李四", "王五", "赵六"}
	var accounts []string
	ident := func(n int) string { return fmt.Sprintf("11010119900101%04d", n+1) }
	for n, name := range names {
		answer, err := send("CreateNewIpsAcct", fmt.Sprintf("SAMPLEOPEN%d", n+1), nil, "pIdentType", "1", "pIdentNo", ident(n), "pRealName", name,
			"pMobileNo", fmt.Sprintf("1380000000%d", n+1), "pEmail", fmt.Sprintf("sample%d@example.com", n+1), "pSmDate", date)
		if err != nil {
			return err
		}
		accounts = append(accounts, answer.Get("pIpsAcctNo"))
	}
	person := func(n int, name, account string) []string {
		return []string{"pAcctType", "1", "pIdentNo", ident(n), name, names[n], account, accounts[n]}
	}
	recharge := func(n int, yuan string) []string {
		return append(person(n, "pRealName", "pIpsAcctNo"), "pTrdDate", date, "pTrdAmt", yuan, "pChannelType", "1", "pTrdBnkCode", "00004",
			"pMerFee", "0.00", "pIpsFeeType", "1")
	}
	bid := func(no, yuan, margin string) []string {
		return append(person(0, "pRealName", "pIpsAcctNo"), "pBidNo", no, "pRegDate", date, "pLendAmt", yuan, "pGuaranteesAmt", margin,
			"pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "3", "pLendPurpose", "购车", "pRepayMode", "2", "pOperationType", "1", "pLendFee", "100.00")
	}
	invest := func(n int, yuan string) []string {
		return append(person(n, "pRealName", "pAccount"), "pBidNo", "SAMPLEBID1", "pMerDate", date, "pContractNo", "SAMPLECON1", "pRegType", "1", "pAuthNo", "",
			"pAuthAmt", yuan, "pTrdAmt", yuan, "pFee", "1.00", "pUse", "购车")
	}
	withdraw := func(n int, yuan string) []string {
		return append(person(n, "pRealName", "pIpsAcctNo"), "pOutType", "1", "pBidNo", "", "pContractNo", "", "pDwTo", "", "pDwDate", date, "pTrdAmt", yuan,
			"pMerFee", "2.00", "pIpsFeeType", "2")
	}
	row := func(pairs ...string) (m engine.Message) {
		for i := 0; i < len(pairs); i += 2 {
			m = append(m, engine.Field{Name: pairs[i], Value: pairs[i+1]})
		}
		return m
	}
	release := func(order, yuan string, n int) engine.Message {
		return row("pOriMerBillNo", order, "pTrdAmt", yuan, "pFAcctType", "1", "pFIpsAcctNo", accounts[n], "pFTrdFee", "0.00",
			"pTAcctType", "1", "pTIpsAcctNo", accounts[0], "pTTrdFee", "0.00")
	}
	repay := func(order, yuan string, n int) engine.Message {
		return row("pCreMerBillNo", order, "pInAcctNo", accounts[n], "pInFee", "0.00", "pOutInfoFee", "0.00", "pInAmt", yuan)
	}
	for _, o := range []struct {
		op, order string
		rows      []engine.Message
		pairs     []string
	}{
		{"doDpTrade", "SAMPLERECHARGE1", nil, recharge(0, "1000.00")},
		{"doDpTrade", "SAMPLERECHARGE2", nil, recharge(1, "8000.00")},
		{"doDpTrade", "SAMPLERECHARGE3", nil, recharge(2, "9000.00")},
		{"doDpTrade", "SAMPLERECHARGE4", nil, recharge(3, "2000.00")},
		{"registerSubject", "SAMPLELOAN1", nil, bid("SAMPLEBID1", "10000.00", "500.00")},
		{"registerGuarantor", "SAMPLEGUARANTEE1", nil, []string{"pMerDate", date, "pBidNo", "SAMPLEBID1", "pAmount", "10300.00", "pMarginAmt", "1000.00",
			"pProFitAmt", "50.00", "pAcctType", "1", "pFromIdentNo", ident(3), "pAccountName", names[3], "pAccount", accounts[3]}},
		{"registerCreditor", "SAMPLEBIDA", nil, invest(1, "6000.00")},
		{"registerCreditor", "SAMPLEBIDB", nil, invest(2, "4000.00")},
		{"Transfer", "SAMPLERELEASE1", []engine.Message{release("SAMPLEBIDA", "6000.00", 1), release("SAMPLEBIDB", "4000.00", 2)},
			[]string{"pBidNo", "SAMPLEBID1", "pDate", date, "pTransferType", "1", "pTransferMode", "1"}},
		{"RepaymentNewTrade", "SAMPLEREPAY1", []engine.Message{repay("SAMPLEBIDA", "60.00", 1), repay("SAMPLEBIDB", "40.00", 2)},
			[]string{"pBidNo", "SAMPLEBID1", "pRepaymentDate", date, "pRepayType", "1", "pIpsAuthNo", "", "pOutAcctNo", accounts[0], "pOutAmt", "100.00", "pOutFee", "0.00"}},
		{"doDwTrade", "SAMPLEWITHDRAW1", nil, withdraw(1, "500.00")},
		{"doDwTrade", "SAMPLEWITHDRAW2", nil, withdraw(1, "99999.00")}, // is refused
		{"", "", nil, nil}, // from here on people are asked
		{"doDpTrade", "SAMPLERECHARGE5", nil, recharge(2, "300.00")},
		{"registerSubject", "SAMPLELOAN2", nil, bid("SAMPLEBID2", "5000.00", "0.00")},
	} {
		if o.op == "" {
			if err := s.SetAuto(code, "", false); err != nil {
				return err
			}
		} else if _, err := send(o.op, o.order, o.rows, o.pairs...); err != nil {
			return err
		}
	}
	return nil
}

// serveSample is the merchant of the sample orders.
func (s *Sandbox) serveSample(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/back") {
		http.Redirect(w, r, "/console/orders?q=SAMPLE", http.StatusSeeOther)
		return
	}
	wire.Send(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok"))
}
