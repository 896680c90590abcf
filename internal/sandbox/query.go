package sandbox

import (
	"fmt"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// query answers the operations that only read. Their messages are not
// encrypted, and their codes are 0000 and 9999.
func (s *Sandbox) query(op operation, peer string, params []wire.Pair) string {
	for i := range params {
		params[i].Value = unindent(params[i].Value)
	}
	q, bad := s.openQuery(op, params)
	s.messages.add(Message{
		At: s.Now(), Direction: In, Via: ViaSOAP, Peer: peer, Merchant: known(q.code), Op: op.name, Verified: q.verified,
	})
	var fields []wire.Pair
	if bad == nil {
		fields, bad = s.find(op, q)
	}
	if bad != nil {
		fields = failed(op, q, bad.text)
	}
	fields = append(fields, wire.Pair{Name: "pSign", Value: q.sign(fields)})
	text := resultText(fields)
	res := result{op: op, answer: sealed{merchant: known(q.code), xml: text}}
	for _, f := range fields {
		switch f.Name {
		case "pErrCode":
			res.answer.code = f.Value
		case "pErrMsg":
			res.answer.text = f.Value
		}
	}
	s.recordAnswer(ViaSOAP, peer, res, q.merchant != nil)
	return text
}

// query is a query's parameters.
type query struct {
	merchant            *merchant // nil if nobody has this code
	code, account, memo string
	verified            bool
}

// sign signs an answer. How the platform does it is not known: MD5 over the
// values in their order and the cert is our choice, for every merchant.
func (q query) sign(fields []wire.Pair) string {
	if q.merchant == nil {
		return ""
	}
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = f.Value
	}
	return q.merchant.keys.SignText(values...)
}

func (s *Sandbox) openQuery(op operation, params []wire.Pair) (query, *refusal) {
	fields, bad := envelopeFields(op, params, "MerCode", "IpsAccount", "Sign", "Memo")
	if bad != nil {
		return query{}, bad
	}
	q := query{code: fields[0], account: fields[1], memo: fields[3], merchant: s.merchants[fields[0]]}
	switch {
	case q.code == "":
		return q, required("商户号")
	case op.name != "GetBankList" && q.account == "":
		return q, required("IPS托管账户号")
	case fields[2] == "":
		return q, required("签名")
	case q.merchant == nil:
		return q, refuse(op, codeMerchant, "商户不存在，商户号(%s)", known(q.code))
	}
	signed := []string{q.code}
	if op.name != "GetBankList" {
		signed = append(signed, q.account)
	}
	if q.verified = q.merchant.keys.VerifyText(fields[2], signed...); !q.verified {
		return q, refuse(op, codeSign, "签名验证失败，商户号(%s)", q.code)
	}
	return q, nil
}

func (s *Sandbox) find(op operation, q query) ([]wire.Pair, *refusal) {
	switch op.name {
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

func (s *Sandbox) findBalance(op operation, q query) ([]wire.Pair, *refusal) {
	b, ok := s.engine.Balance(q.code, q.account)
	if !ok {
		return nil, noAccount(op, q)
	}
	return []wire.Pair{
		{Name: "pMerCode", Value: q.code},
		{Name: "pErrCode", Value: codeQueryDone},
		{Name: "pErrMsg", Value: "查询成功"},
		{Name: "pIpsAcctNo", Value: q.account},
		{Name: "pBalance", Value: yuan(b.Available)},
		{Name: "pLock", Value: yuan(b.Frozen)},
		{Name: "pNeedstl", Value: yuan(b.Unsettled)},
	}, nil
}

func (s *Sandbox) findProfile(op operation, q query) ([]wire.Pair, *refusal) {
	p, ok := s.engine.Profile(q.code, q.account)
	if !ok {
		return nil, noAccount(op, q)
	}
	return []wire.Pair{
		{Name: "pMerCode", Value: q.code},
		{Name: "pErrCode", Value: codeQueryDone},
		{Name: "pIpsAcctNo", Value: q.account},
		{Name: "pEmail", Value: p.Email},
		{Name: "pStatus", Value: p.Status},
		{Name: "pUCardStatus", Value: p.IDStatus},
		{Name: "pBankName", Value: p.BankName},
		{Name: "pBankCard", Value: p.BankCard},
		{Name: "pBCardStatus", Value: p.CardStatus},
		{Name: "pSignStatus", Value: p.SignStatus},
		{Name: "pMemo", Value: q.memo},
	}, nil
}

// failed has the elements of op's answer, empty beyond what is known. Of a
// failed QueryMerUserInfo no more than the code is documented; the message is
// our addition.
func failed(op operation, q query, text string) []wire.Pair {
	fields := []wire.Pair{
		{Name: "pMerCode", Value: known(q.code)},
		{Name: "pErrCode", Value: codeQueryFailed},
		{Name: "pErrMsg", Value: text},
	}
	rest := []string{"pIpsAcctNo", "pBalance", "pLock", "pNeedstl"}
	switch op.name {
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

func noAccount(op operation, q query) *refusal {
	return refuse(op, codeQueryFailed, "账户不存在，账号(%s)", q.account)
}

// yuan formats an amount exactly.
func yuan(fen int64) string {
	sign, n := "", uint64(fen)
	if fen < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// bankList is 银行名称|别名|编号, joined by #.
func bankList() string {
	var list []string
	for _, b := range engine.Banks() {
		list = append(list, b.Name+"|"+b.Alias+"|"+b.Code)
	}
	return strings.Join(list, "#")
}
