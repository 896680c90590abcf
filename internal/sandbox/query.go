package sandbox

import (
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// query answers the operations that only read. Their messages are not
// encrypted, and their codes are 0000 and 9999.
func (s *Sandbox) query(req request) string {
	op := req.op
	q, bad := s.openQuery(op, req.fields)
	req.merchant = q.code
	s.record(req, opened{verified: q.verified, refusal: bad})
	var fields []wire.Pair
	if bad == nil {
		fields, bad = s.find(op, q)
	}
	if bad != nil {
		fields = failed(op, q, bad)
	}
	fields = append(fields, wire.Pair{Name: "pSign", Value: q.sign(op, fields)})
	text := wire.ResultText(fields)
	res := result{op: op, answer: wire.Envelope{Merchant: known(q.code), XML: text}}
	for _, f := range fields {
		switch f.Name {
		case "pErrCode":
			res.answer.Code = f.Value
		case "pErrMsg":
			res.answer.Text = f.Value
		}
	}
	s.recordAnswer(req, res, q.merchant != nil)
	return text
}

// queryTrade says how an order stands.
func (s *Sandbox) queryTrade(merchant string, msg engine.Message) engine.Answer {
	order, kind := msg.Get("pMerBillNo"), msg.Get("pTradeType")
	for _, f := range []struct{ title, value string }{{"商户订单号", order}, {"交易类型", kind}} {
		if f.value == "" {
			bad := required(f.title)
			return engine.Answer{Code: bad.code, Text: bad.text}
		}
	}
	state, bill := s.engine.QueryTrade(merchant, order, kind)
	body := engine.Message{{Name: "pMerBillNo", Value: order}, {Name: "pTradeType", Value: kind}, {Name: "pTradeStatue", Value: string(state)}}
	if bill != "" {
		body = append(body, engine.Field{Name: "pIpsBillNo", Value: bill})
	}
	return engine.Answer{Code: codeDone, Text: "操作成功", Body: body}
}

// query is a query's parameters.
type query struct {
	merchant            *merchant // nil if nobody has this code
	code, account, memo string
	verified            bool
}

// sign signs an answer over its elements with their tags, for every merchant.
// Of the account information, code, text and memo are not signed.
func (q query) sign(op wire.Operation, fields []wire.Pair) string {
	if q.merchant == nil {
		return ""
	}
	if op.Name == "QueryMerUserInfo" {
		fields = slices.DeleteFunc(slices.Clone(fields), func(f wire.Pair) bool {
			return f.Name == "pErrCode" || f.Name == "pErrMsg" || f.Name == "pMemo"
		})
	}
	return q.merchant.keys.SignText(wire.TaggedText(fields))
}

func (s *Sandbox) openQuery(op wire.Operation, params []wire.Pair) (query, *refusal) {
	fields, bad := envelopeFields(op, params, "MerCode", "IpsAccount", "Sign", "Memo")
	if bad != nil {
		return query{}, bad
	}
	q := query{code: fields[0], account: fields[1], memo: fields[3], merchant: s.merchants[fields[0]]}
	switch {
	case q.code == "":
		return q, required("商户号")
	case op.Name != "GetBankList" && q.account == "":
		return q, required("IPS托管账户号")
	case fields[2] == "":
		return q, required("签名")
	case q.merchant == nil:
		return q, refuse(op, queryCode(op, codeQueryMerchant, codeMerchant), "商户不存在，商户号(%s)", known(q.code))
	}
	signed := []string{q.code}
	if op.Name != "GetBankList" {
		signed = append(signed, q.account)
	}
	if q.verified = q.merchant.keys.VerifyText(fields[2], signed...); !q.verified {
		return q, refuse(op, codeSign, "签名验证失败，商户号(%s)", q.code)
	}
	return q, nil
}

func (s *Sandbox) find(op wire.Operation, q query) ([]wire.Pair, *refusal) {
	switch op.Name {
	case "GetBankList":
		return []wire.Pair{
			{Name: "pMerCode", Value: q.code},
			{Name: "pErrCode", Value: codeQueryDone},
			{Name: "pErrMsg", Value: "查询成功"},
			{Name: "pBankList", Value: bankList()},
		}, nil
	case "QueryForAccBalance":
		return s.findBalance(op, q)
	default:
		return s.findProfile(op, q)
	}
}

func (s *Sandbox) findBalance(op wire.Operation, q query) ([]wire.Pair, *refusal) {
	b, ok := s.engine.Balance(q.code, q.account)
	if !ok {
		return nil, noAccount(op, q)
	}
	return []wire.Pair{
		{Name: "pMerCode", Value: q.code},
		{Name: "pErrCode", Value: codeQueryDone},
		{Name: "pErrMsg", Value: "查询成功"},
		{Name: "pIpsAcctNo", Value: q.account},
		{Name: "pBalance", Value: wire.Yuan(b.Available)},
		{Name: "pLock", Value: wire.Yuan(b.Frozen)},
		{Name: "pNeedstl", Value: wire.Yuan(b.Unsettled)},
	}, nil
}

// What the account information says of a check; that the numbers mean this is
// our choice.
const (
	checkOpen   = "01"
	checkPassed = "02"
)

func (s *Sandbox) findProfile(op wire.Operation, q query) ([]wire.Pair, *refusal) {
	a, ok := s.engine.Account(q.code, q.account)
	if !ok {
		return nil, noAccount(op, q)
	}
	mandate := checkOpen
	if a.Mandate {
		mandate = checkPassed
	}
	return []wire.Pair{
		{Name: "pMerCode", Value: q.code},
		{Name: "pErrCode", Value: codeQueryDone},
		{Name: "pIpsAcctNo", Value: q.account},
		{Name: "pEmail", Value: a.Email},
		{Name: "pStatus", Value: "04"}, // active
		{Name: "pUCardStatus", Value: checkPassed},
		{Name: "pBankName", Value: a.Bank},
		{Name: "pBankCard", Value: a.CardTail},
		{Name: "pBCardStatus", Value: checkPassed},
		{Name: "pSignStatus", Value: mandate},
		{Name: "pMemo", Value: q.memo},
	}, nil
}

// failed has the elements of op's answer, empty beyond what is known. Of a
// failed QueryMerUserInfo no more than the code is documented; the message is
// our addition.
func failed(op wire.Operation, q query, why *refusal) []wire.Pair {
	code := codeQueryFailed
	if len(why.code) < len(code) {
		code = why.code
	}
	fields := []wire.Pair{
		{Name: "pMerCode", Value: known(q.code)},
		{Name: "pErrCode", Value: code},
		{Name: "pErrMsg", Value: why.text},
	}
	rest := []string{"pIpsAcctNo", "pBalance", "pLock", "pNeedstl"}
	switch op.Name {
	case "GetBankList":
		rest = []string{"pBankList"}
	case "QueryMerUserInfo":
		rest = []string{"pIpsAcctNo", "pEmail", "pStatus", "pUCardStatus", "pBankName", "pBankCard",
			"pBCardStatus", "pSignStatus", "pMemo"}
	}
	for _, name := range rest {
		fields = append(fields, wire.Pair{Name: name})
	}
	return fields
}

// queryCode is own for the account information, which has codes of its own,
// and other elsewhere.
func queryCode(op wire.Operation, own, other string) string {
	if op.Name == "QueryMerUserInfo" {
		return own
	}
	return other
}

func noAccount(op wire.Operation, q query) *refusal {
	return refuse(op, queryCode(op, codeQueryAccount, codeQueryFailed), "账户不存在，账号(%s)", q.account)
}

// bankList is 银行名称|别名|编号, joined by #.
func bankList() string {
	var list []string
	for _, b := range engine.Banks() {
		list = append(list, b.Name+"|"+b.Alias+"|"+b.Code)
	}
	return strings.Join(list, "#")
}
