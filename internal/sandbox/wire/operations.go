package wire

import (
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// WebPrefix is where the pages of the operations are.
const WebPrefix = "/CreditWeb/"

// Operation is an operation of the platform: its name on the wire, which is
// that of its page without .aspx or of its element in SOAP, and what people
// call it. Params are those of a web service, all of them text, as is its
// result.
type Operation struct {
	Name, Title string
	Params      []string
}

// Sealed says whether the operation carries an envelope: most queries do not.
func (op Operation) Sealed() bool {
	return op.Params == nil || slices.ContainsFunc(op.Params, func(name string) bool { return strings.HasSuffix(name, "3DesXmlPara") })
}

var pages, titles = func() (pages []Operation, titles map[string]string) {
	titles = map[string]string{
		"QueryForAccBalance": "账户余额查询", "GetBankList": "银行列表查询", "QueryMerUserInfo": "账户信息查询", "QueryTrade": "交易查询",
	}
	for _, op := range engine.Operations() {
		titles[op.Name] = op.Title
		if op.Page {
			pages = append(pages, Operation{Name: op.Name, Title: op.Title})
		}
	}
	return pages, titles
}()

// Title is what people call an operation, "" if there is none of that name.
func Title(name string) string { return titles[name] }

// Pages are the operations that have a page, in the order of the manual.
func Pages() []Operation { return pages }

// PageOperation finds the operation of a page. Page names are the same in any
// case, as on the platform's IIS.
func PageOperation(page string) (Operation, bool) {
	for _, op := range pages {
		if strings.EqualFold(page, op.Name+".aspx") {
			return op, true
		}
	}
	return Operation{}, false
}

// Service is a web service: where it is, and what it can do.
type Service struct {
	Title      string // on its page for people
	Path       string
	Namespace  string // for its WSDL
	Address    string // likewise: where it is called
	Operations []Operation
}

// TradeQuery says which service has QueryTrade. Merchants' programs look for it
// at either, and that the platform has it at all is believed, not proven.
type TradeQuery string

// The places of QueryTrade.
const (
	TradeQueryBoth    TradeQuery = "both"
	TradeQueryQuery   TradeQuery = "query"
	TradeQueryService TradeQuery = "service"
	TradeQueryNone    TradeQuery = "none"
)

// Valid says whether q is one of the four.
func (q TradeQuery) Valid() bool {
	return slices.Contains([]TradeQuery{TradeQueryBoth, TradeQueryQuery, TradeQueryService, TradeQueryNone}, q)
}

// Services are the web services, with QueryTrade where it is wanted.
func Services(trade TradeQuery) []Service {
	sealed := func(prefix string) []string {
		return []string{prefix + "MerCode", prefix + "3DesXmlPara", prefix + "Sign"}
	}
	call := func(name string, params []string) Operation { return Operation{name, Title(name), params} }
	service := Service{Title: "业务接口 CreditWS", Path: "/CreditWS/Service.asmx", Operations: []Operation{
		call("Transfer", sealed("p")),
		call("GuaranteeUnfreeze", sealed("arg")),
		call("CoDpTrade", sealed("arg")),
		call("QueryForAccBalance", []string{"argMerCode", "argIpsAccount", "argSign"}),
		call("GetBankList", []string{"argMerCode", "argSign"}),
	}}
	query := Service{Title: "查询接口 CreditWSQuery", Path: "/CreditWSQuery/Service.asmx", Operations: []Operation{
		call("QueryMerUserInfo", []string{"argMerCode", "argIpsAccount", "argSign", "argMemo"}),
	}}
	if trade == TradeQueryBoth || trade == TradeQueryService {
		service.Operations = append(service.Operations, call("QueryTrade", sealed("p")))
	}
	if trade == TradeQueryBoth || trade == TradeQueryQuery {
		query.Operations = append(query.Operations, call("QueryTrade", sealed("p")))
	}
	return []Service{service, query}
}

// Find is the operation of that name, which is the same in one case only.
func (s Service) Find(name string) (Operation, bool) {
	for _, op := range s.Operations {
		if op.Name == name {
			return op, true
		}
	}
	return Operation{}, false
}

// All are the operations of pages and services, each once.
func All(services []Service) []Operation {
	list := slices.Clone(pages)
	for _, s := range services {
		for _, op := range s.Operations {
			if !slices.ContainsFunc(list, func(known Operation) bool { return known.Name == op.Name }) {
				list = append(list, op)
			}
		}
	}
	return list
}

// CutPrefixFold is [strings.CutPrefix] in any case.
func CutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// ParamPrefix is the prefix that name has before want, ignoring case: arg, p or
// "" if it is not that parameter. The platform names its parameters arg* for
// some operations and p* for others.
func ParamPrefix(name, want string) string {
	for _, prefix := range []string{"arg", "p"} {
		if strings.EqualFold(name, prefix+want) {
			return prefix
		}
	}
	return ""
}
