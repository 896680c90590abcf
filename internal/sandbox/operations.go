package sandbox

import (
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// operation is an operation of the platform as the wire names it.
type operation struct {
	name  string // wire name: page without .aspx, or SOAP operation
	title string // what people call it
}

// pageOperations are the operations that have a page under /CreditWeb/.
func pageOperations() []operation {
	return []operation{
		{"CreateNewIpsAcct", "开户"},
		{"registerSubject", "登记标的"},
		{"registerCreditor", "登记投资人"},
		{"registerGuarantor", "登记担保方"},
		{"registerCretansfer", "登记债权转让"},
		{"AutoNewSigning", "自动投标签约"},
		{"RepaymentSigning", "自动还款签约"},
		{"doDpTrade", "充值"},
		{"RepaymentNewTrade", "还款"},
		{"doDwTrade", "提现申请"},
		{"repaymentTrade", "老版还款"}, // the one page of the interface before v2.0
	}
}

// pageOperation finds the operation of a page. Page names are the same in any
// case, as on the platform's IIS.
func pageOperation(page string) (operation, bool) {
	for _, op := range pageOperations() {
		if strings.EqualFold(page, op.name+".aspx") {
			return op, true
		}
	}
	return operation{}, false
}

// service is a web service: its address and what it can do.
type service struct {
	path       string
	operations []soapOperation
}

// soapOperation is an operation of a web service and its parameters, named as
// the WSDL names them.
type soapOperation struct {
	operation
	params []string
}

func tradeService() service {
	return service{"/CreditWS/Service.asmx", []soapOperation{
		{operation{"Transfer", "转账"}, []string{"pMerCode", "p3DesXmlPara", "pSign"}},
		{operation{"GuaranteeUnfreeze", "解冻保证金"}, []string{"argMerCode", "arg3DesXmlPara", "argSign"}},
		{operation{"CoDpTrade", "自动代扣充值"}, []string{"argMerCode", "arg3DesXmlPara", "argSign"}},
		{operation{"QueryForAccBalance", "账户余额查询"}, []string{"argMerCode", "argIpsAccount", "argSign"}},
		{operation{"GetBankList", "银行列表查询"}, []string{"argMerCode", "argSign"}},
	}}
}

func queryService() service {
	return service{"/CreditWSQuery/Service.asmx", []soapOperation{
		{operation{"QueryMerUserInfo", "账户信息查询"}, []string{"argMerCode", "argIpsAccount", "argSign", "argMemo"}},
	}}
}

func (s service) find(name string) (operation, bool) {
	for _, op := range s.operations {
		if op.name == name {
			return op.operation, true
		}
	}
	return operation{}, false
}

func (s service) wsdl(namespace, address string) wire.Service {
	w := wire.Service{Namespace: namespace, Address: address}
	for _, op := range s.operations {
		w.Operations = append(w.Operations, wire.Operation{Name: op.name, Params: op.params})
	}
	return w
}
