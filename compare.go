package ips

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ips-p2p/ips/internal/codec"
)

// Difference is something that an answer says otherwise than its request asked.
// The texts may be accounts and id numbers: they do not belong into logs.
type Difference struct {
	Wire        string // wire name with its path, e.g. "pTrdAmt" or "pDetails/pRow[2]"
	Asked, Said string // "" where there is nothing of the kind
}

// compared are the texts that must be the same; amounts always must.
var compared = []string{
	"pMerBillNo", "pBidNo", "pContractNo", "pIpsAcctNo", "pAccount", "pFromAccount", "pToAccount",
	"pCreMerBillNo", "pTransferType", "pUnfreezenType", "pMerchantBillNo", "pTradeType",
}

// Compare holds an answer against the request that it answers: order number,
// bid, accounts, amounts and rows, and the id number of an account opening, which
// has no account yet. What an answer leaves out is no difference,
// but a row that nobody asked for is one, and so is an asked row that the final
// answer of a batch leaves out. The rows of a refusal or a pending answer are not
// compared. An answer to another operation is one difference, and so is none.
func Compare(req Request, answer Response) []Difference {
	o, err := ownOf(req)
	said := reflect.Indirect(reflect.ValueOf(answer))
	if err != nil || !said.IsValid() {
		return []Difference{{Wire: "pReq"}}
	}
	base := answer.Base()
	if said.Type() != o.op.response || orderedBy(o.op.Operation) != orderedBy(base.Operation) {
		return []Difference{{Wire: "pReq", Asked: string(o.op.Operation), Said: string(base.Operation)}}
	}
	var all []Difference
	asked := o.ptr.Elem()
	fields := codec.Fields(asked.Type())
	for _, f := range codec.Fields(said.Type()) {
		i := slices.IndexFunc(fields, func(q codec.Field) bool { return q.Name == f.Name })
		switch {
		case i < 0:
		case f.Row != "":
			if base.Outcome == Success && base.Via != Queried {
				all = append(all, compareRows(&f, asked.FieldByIndex(fields[i].Index), said.FieldByIndex(f.Index))...)
			}
		case f.Type == amountType, slices.Contains(compared, f.Name), f.Name == "pIdentNo" && base.Operation == OpOpenAccount:
			a, s := codec.Text(asked, &fields[i]), codec.Text(said, &f)
			same := a == s || f.Name == "pIdentNo" && strings.EqualFold(a, s) // it may end in x or X
			if !same && base.says(&f, said) {
				all = append(all, Difference{f.Name, a, s})
			}
		}
	}
	return all
}

// says reports whether the answer has the field: its document has it, or, if it
// was kept and read back, its value is not zero.
func (r *Reply) says(f *codec.Field, answer reflect.Value) bool {
	return !answer.FieldByIndex(f.Index).IsZero() ||
		slices.ContainsFunc(r.said, func(e codec.Element) bool {
			return e.Text != "" && (e.Name == f.Name || e.Name == f.Alias)
		})
}

// compareRows finds for each row of the answer a row that was asked for, each at
// most once.
func compareRows(f *codec.Field, asked, said reflect.Value) []Difference {
	var shared []string // what the answer repeats of a row
	for _, a := range codec.Fields(asked.Type().Elem()) {
		if a.Name != "pFAcctType" && a.Name != "pTAcctType" &&
			slices.ContainsFunc(codec.Fields(said.Type().Elem()), func(s codec.Field) bool { return s.Name == a.Name }) {
			shared = append(shared, a.Name)
		}
	}
	left := make(map[string][]int) // rows that were asked for, by what the answer repeats of them
	for i := range asked.Len() {
		k := rowKey(asked.Index(i), shared)
		left[k] = append(left[k], i)
	}
	var all []Difference
	for i := range said.Len() {
		k := rowKey(said.Index(i), shared)
		if rows := left[k]; len(rows) > 0 {
			left[k] = rows[1:]
			continue
		}
		all = append(all, Difference{Wire: fmt.Sprintf("%s/%s[%d]", f.Name, f.Row, i+1), Said: k})
	}
	for i := range asked.Len() {
		if k := rowKey(asked.Index(i), shared); slices.Contains(left[k], i) {
			all = append(all, Difference{Wire: fmt.Sprintf("%s/%s[%d]", f.Name, f.Row, i+1), Asked: k})
		}
	}
	return all
}

// rowKey is what a row says in the named elements.
func rowKey(row reflect.Value, names []string) string {
	key := ""
	for _, f := range codec.Fields(row.Type()) {
		if slices.Contains(names, f.Name) {
			key += f.Name + "=" + codec.Text(row, &f) + " "
		}
	}
	return key
}

// rowsThat returns the asked rows whose row of the answer has the status. A row is
// known by the named elements; each row of the answer stands for one asked row that
// has them, in their order.
func rowsThat[Q, R any](status RowStatus, asked []Q, said []R, names ...string) []Q {
	left := make(map[string][]RowStatus)
	for i := range said {
		row := reflect.ValueOf(&said[i]).Elem()
		k := rowKey(row, names)
		left[k] = append(left[k], row.FieldByName("Status").Interface().(RowStatus))
	}
	var found []Q
	for i := range asked {
		k := rowKey(reflect.ValueOf(&asked[i]).Elem(), names)
		if len(left[k]) == 0 {
			continue
		}
		if left[k][0] == status {
			found = append(found, asked[i])
		}
		left[k] = left[k][1:]
	}
	return found
}
