package sandbox_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/stretchr/testify/require"
)

// door is how an operation is reached, what the platform's texts call it, and
// what the document of a refusal says besides echoing the request.
type door struct {
	prefix  string // of the envelope's fields
	service string // where it is called, "" for a page
	title   string
	failed  string
}

func doors() map[string]door {
	return map[string]door{
		"CreateNewIpsAcct":   {"arg", "", "开户", "<pStatus>9</pStatus>"},
		"registerSubject":    {"p", "", "登记标的", "<pBidStatus>9</pBidStatus><pRealFreezenAmt>0.00</pRealFreezenAmt>"},
		"registerCreditor":   {"p", "", "登记投资人", "<pTransferAmt>0.00</pTransferAmt><pStatus>9</pStatus>"},
		"registerGuarantor":  {"p", "", "登记担保方", "<pRealFreezeAmt>0.00</pRealFreezeAmt>"},
		"registerCretansfer": {"p", "", "登记债权转让", "<pBussType>1</pBussType><pStatus>9</pStatus>"},
		"AutoNewSigning":     {"p", "", "自动投标签约", "<pIpsAuthNo></pIpsAuthNo>"},
		"RepaymentSigning":   {"p", "", "自动还款签约", "<pIpsAuthNo></pIpsAuthNo>"},
		"doDpTrade":          {"p", "", "充值", "<pIpsBillNo></pIpsBillNo>"},
		"Transfer":           {"p", trade, "转账", "<pIpsBillNo></pIpsBillNo>"},
		"RepaymentNewTrade":  {"p", "", "还款", "<pIpsBillNo></pIpsBillNo>"},
		"GuaranteeUnfreeze":  {"arg", trade, "解冻保证金", "<pIpsBillNo></pIpsBillNo>"},
		"CoDpTrade":          {"arg", trade, "自动代扣充值", "<pTrdRealAmt>0.00</pTrdRealAmt>"},
		"doDwTrade":          {"p", "", "提现申请", "<pIpsBillNo></pIpsBillNo>"},
		"QueryForAccBalance": {"arg", trade, "账户余额查询", ""},
		"GetBankList":        {"arg", trade, "银行列表查询", ""},
		"QueryMerUserInfo":   {"arg", queries, "账户信息查询", ""},
	}
}

// letter is a merchant's message as raw text. Nothing of the SDK is in it, so
// that a mistake there cannot hide one here. Letters are values: what changes
// one leaves the one it came from alone.
type letter struct {
	op     string
	text   string           // the <pReq> document
	params []string         // of a query, which has no document: names and values
	by     *envelope.Keys   // nil: the test merchant's
	tamper func(url.Values) // spoils the sealed envelope
	lost   []string         // changes that found nothing to change
}

// element finds <name>…</name>; the fields that tests change hold no elements.
func element(name string) *regexp.Regexp {
	return regexp.MustCompile(`<` + name + `>[^<]*</` + name + `>`)
}

func (l letter) edit(what string, change func(string) string) letter {
	before := l.text
	if l.text = change(before); l.text == before {
		l.lost = append(slices.Clone(l.lost), what)
	}
	return l
}

// with gives elements another content: names and raw contents in turn.
func (l letter) with(pairs ...string) letter {
	for i := 0; i < len(pairs); i += 2 {
		name, content := pairs[i], pairs[i+1]
		l = l.edit("set "+name, func(text string) string {
			at := element(name).FindStringIndex(text)
			if at == nil {
				return text
			}
			return text[:at[0]] + "<" + name + ">" + content + "</" + name + ">" + text[at[1]:]
		})
	}
	return l
}

// without takes elements out.
func (l letter) without(names ...string) letter {
	for _, name := range names {
		l = l.edit("delete "+name, func(text string) string { return element(name).ReplaceAllLiteralString(text, "") })
	}
	return l
}

// raw replaces text by text.
func (l letter) raw(old, instead string) letter {
	return l.edit("replace "+old, func(text string) string { return strings.Replace(text, old, instead, 1) })
}

// and adds rows after those that are there.
func (l letter) and(rows ...string) letter {
	return l.raw("</pDetails>", strings.Join(rows, "")+"</pDetails>")
}

func (l letter) sealedBy(k *envelope.Keys) letter {
	l.by = k
	return l
}

func (l letter) tampered(how func(url.Values)) letter {
	l.tamper = how
	return l
}

// content is that of an element, "" if it is not there.
func (l letter) content(name string) string {
	found := element(name).FindString(l.text)
	return strings.TrimSuffix(strings.TrimPrefix(found, "<"+name+">"), "</"+name+">")
}

func elements(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("<" + pairs[i] + ">" + pairs[i+1] + "</" + pairs[i] + ">")
	}
	return b.String()
}

const wayBack = "http://shop.example.com/back"

// write begins a letter; the addresses and memos at its end are written for it.
func (f *fixture) write(op string, pairs ...string) letter {
	if doors()[op].service == "" {
		pairs = append(pairs, "pWebUrl", wayBack)
	}
	pairs = append(pairs, "pS2SUrl", f.shop.URL+"/notify", "pMemo1", "", "pMemo2", "", "pMemo3", "")
	return letter{op: op, text: `<?xml version="1.0" encoding="utf-8"?><pReq>` + elements(pairs...) + `</pReq>`}
}

// enquire begins a query about an account, or about nothing if account is "".
func (f *fixture) enquire(op, account string) letter {
	if account == "" {
		return letter{op: op, params: []string{"argMerCode", f.keys.MerCode(), "argSign", f.keys.SignText(f.keys.MerCode())}}
	}
	return letter{op: op, params: []string{"argMerCode", f.keys.MerCode(), "argIpsAccount", account,
		"argSign", f.keys.SignText(f.keys.MerCode(), account)}}
}

// heard is what the platform said to a letter.
type heard struct {
	answer
	action string // where the return form goes, "" if there was none
	shown  bool   // to the person at the browser, for lack of a way back
	page   string
}

var shownText = regexp.MustCompile(`id="lblErrMsg">([^<]*)<`)
var shownCode = regexp.MustCompile(`id="lblErrCode">([^<]*)<`)

// say seals a letter, sends it over HTTP and reads the answer.
func (f *fixture) say(t *testing.T, l letter) heard {
	t.Helper()
	require.Empty(t, l.lost, "changes that found nothing to change")
	d, known := doors()[l.op]
	require.True(t, known, l.op)
	form := url.Values{}
	for i := 0; i < len(l.params); i += 2 {
		form.Set(l.params[i], l.params[i+1])
	}
	if l.params == nil {
		form = seal(f.sealer(l), d.prefix, l.text)
	}
	if l.tamper != nil {
		l.tamper(form)
	}
	if d.service != "" {
		var params []string
		for _, name := range slices.Sorted(maps.Keys(form)) {
			params = append(params, name, form.Get(name))
		}
		return heard{answer: fromResult(f.call11(d.service, l.op, params...).resultOf(t, l.op))}
	}
	r := f.post(l.op+".aspx", form)
	if text := shownText.FindStringSubmatch(r.body); text != nil {
		require.Equal(t, http.StatusOK, r.status)
		code := shownCode.FindStringSubmatch(r.body)
		require.NotNil(t, code, r.body)
		return heard{answer: answer{code: code[1], text: html.UnescapeString(text[1])}, shown: true, page: r.body}
	}
	action, a := r.returned(t)
	return heard{answer: a, action: action, page: r.body}
}

func (f *fixture) sealer(l letter) *envelope.Keys {
	if l.by != nil {
		return l.by
	}
	return f.keys
}

// done says a letter that must be taken with this code, and returns the
// document of the answer, which is signed with MD5.
func (f *fixture) done(t *testing.T, code string, l letter) string {
	t.Helper()
	h := f.say(t, l)
	require.Equal(t, code, h.code, "%s: %s", l.op, h.text)
	document := h.open(t, f.sealer(l), nil)
	require.NotEmpty(t, document)
	return document
}

// citizen is a fictional user of the platform.
type citizen struct{ name, ident, mobile, email, account string }

// letters of a citizen about a bid and its orders

func (f *fixture) opens(no string, c citizen) letter {
	return f.write("CreateNewIpsAcct", "pMerBillNo", no, "pIdentType", "1", "pIdentNo", c.ident, "pRealName", c.name,
		"pMobileNo", c.mobile, "pEmail", c.email, "pSmDate", "20141124")
}

func (f *fixture) borrows(no, bid string, c citizen, amount, margin, fee string) letter {
	return f.write("registerSubject", "pMerBillNo", no, "pBidNo", bid, "pRegDate", "20141124", "pLendAmt", amount,
		"pGuaranteesAmt", margin, "pTrdLendRate", "12.00", "pTrdCycleType", "3", "pTrdCycleValue", "12", "pLendPurpose", "资金周转",
		"pRepayMode", "1", "pOperationType", "1", "pLendFee", fee, "pAcctType", "1", "pIdentNo", c.ident, "pRealName", c.name,
		"pIpsAcctNo", c.account)
}

func (f *fixture) invests(no, bid string, c citizen, amount, fee string) letter {
	return f.write("registerCreditor", "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pContractNo", "H"+no,
		"pRegType", "1", "pAuthNo", "", "pAuthAmt", amount, "pTrdAmt", amount, "pFee", fee, "pAcctType", "1",
		"pIdentNo", c.ident, "pRealName", c.name, "pAccount", c.account, "pUse", "资金周转")
}

func (f *fixture) guarantees(no, bid string, c citizen, amount, margin, profit string) letter {
	return f.write("registerGuarantor", "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pAmount", amount,
		"pMarginAmt", margin, "pProFitAmt", profit, "pAcctType", "1", "pFromIdentNo", c.ident, "pAccountName", c.name,
		"pAccount", c.account)
}

func (f *fixture) sells(no, bid, claim string, from, to citizen, face, kind string) letter {
	return f.write("registerCretansfer", "pMerBillNo", no, "pMerDate", "20141124", "pBidNo", bid, "pContractNo", "H"+claim,
		"pFromAccountType", "1", "pFromName", from.name, "pFromAccount", from.account, "pFromIdentType", "1",
		"pFromIdentNo", from.ident, "pToAccountType", "1", "pToAccountName", to.name, "pToAccount", to.account,
		"pToIdentType", "1", "pToIdentNo", to.ident, "pCreMerBillNo", claim, "pCretAmt", face, "pPayAmt", face,
		"pFromFee", "1.00", "pToFee", "2.00", "pCretType", kind)
}

func (f *fixture) signsToBid(no string, c citizen) letter {
	return f.write("AutoNewSigning", "pMerBillNo", no, "pSigningDate", "20141124", "pIdentNo", c.ident, "pRealName", c.name,
		"pIpsAcctNo", c.account, "pValidType", "M", "pValidDate", "6", "pTrdCycleType", "M", "pSTrdCycleValue", "1",
		"pETrdCycleValue", "24", "pSAmtQuota", "100.00", "pEAmtQuota", "5000.00", "pSIRQuota", "5.00", "pEIRQuota", "20.00")
}

func (f *fixture) signsToRepay(no string, c citizen) letter {
	return f.write("RepaymentSigning", "pMerBillNo", no, "pSigningDate", "20141124", "pIdentType", "1", "pIdentNo", c.ident,
		"pRealName", c.name, "pIpsAcctNo", c.account, "pValidType", "N", "pValidDate", "")
}

func (f *fixture) recharges(no string, c citizen) letter {
	return f.write("doDpTrade", "pMerBillNo", no, "pAcctType", "1", "pIdentNo", c.ident, "pRealName", c.name,
		"pIpsAcctNo", c.account, "pTrdDate", "20141124", "pTrdAmt", "100.00", "pChannelType", "1", "pTrdBnkCode", "00004",
		"pMerFee", "1.00", "pIpsFeeType", "1")
}

func (f *fixture) withholds(no string, c citizen) letter {
	return f.write("CoDpTrade", "pMerBillNo", no, "pTrdDate", "20141124", "pTrdAmt", "100.00", "pMerFee", "1.00",
		"pIpsFeeType", "1", "pAcctType", "1", "pIdentNo", c.ident, "pRealName", c.name, "pIpsAcctNo", c.account)
}

func (f *fixture) withdraws(no string, c citizen) letter {
	return f.write("doDwTrade", "pMerBillNo", no, "pAcctType", "1", "pOutType", "1", "pBidNo", "", "pContractNo", "", "pDwTo", "",
		"pIdentNo", c.ident, "pRealName", c.name, "pIpsAcctNo", c.account, "pDwDate", "20141124", "pTrdAmt", "100.00",
		"pMerFee", "1.00", "pIpsFeeType", "1")
}

func (f *fixture) transfers(no, bid, kind string, rows ...string) letter {
	return f.write("Transfer", "pMerBillNo", no, "pBidNo", bid, "pDate", "20141124", "pTransferType", kind,
		"pTransferMode", "1", "pDetails", strings.Join(rows, ""))
}

func transferRow(origin, amount, from, fromFee, to, toFee string) string {
	return elements("pRow", elements("pOriMerBillNo", origin, "pTrdAmt", amount, "pFAcctType", "1", "pFIpsAcctNo", from,
		"pFTrdFee", fromFee, "pTAcctType", "1", "pTIpsAcctNo", to, "pTTrdFee", toFee))
}

func (f *fixture) repays(no, bid string, c citizen, amount, fee string, rows ...string) letter {
	return f.write("RepaymentNewTrade", "pBidNo", bid, "pRepaymentDate", "20141224", "pMerBillNo", no, "pRepayType", "1",
		"pIpsAuthNo", "", "pOutAcctNo", c.account, "pOutAmt", amount, "pOutFee", fee, "pDetails", strings.Join(rows, ""))
}

func repayRow(claim, to, amount, inFee, outFee string) string {
	return elements("pRow", elements("pCreMerBillNo", claim, "pInAcctNo", to, "pInFee", inFee, "pOutInfoFee", outFee, "pInAmt", amount))
}

func (f *fixture) unfreezes(no, bid, kind string, c citizen, amount string) letter {
	return f.write("GuaranteeUnfreeze", "pMerBillNo", no, "pBidNo", bid, "pUnfreezeDate", "20141224", "pUnfreezeAmt", amount,
		"pUnfreezenType", kind, "pAcctType", "1", "pIdentNo", c.ident, "pRealName", c.name, "pIpsAcctNo", c.account)
}
