package engine

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The names of a Fault.
const (
	faultCode        = "code"
	faultStayPending = "stay-pending"
	faultRow         = "row"
)

// ExamineFault says why a fault of an order of the operation makes no sense.
func (e *Engine) ExamineFault(operation string, f Fault) error {
	op := e.operations[operation]
	if op == nil {
		return Wrong("engine: Fault: unknown operation %q", "接口 %q 不存在", operation)
	}
	switch f.Name {
	case faultStayPending:
		return nil
	case faultCode:
		switch {
		case strings.TrimSpace(f.Code) == "" || !utf8.ValidString(f.Code) || !utf8.ValidString(f.Text):
			return Wrong("engine: Fault.Code: a refusal needs its code, in UTF-8", "请填写返回码（UTF-8）")
		case slices.Contains([]string{codeDone, codeAccepted, codeBidNew, codeBidRaising, codeBidEnding, codeBidEnded}, f.Code):
			return Wrong("engine: Fault.Code: %s is no refusal", "返回码 %s 不是失败", f.Code)
		}
		return nil
	case faultRow:
		switch {
		case op.rows == nil:
			return Wrong("engine: Fault: %s has no rows", "接口 %s 没有明细行", operation)
		case f.Row < 1:
			return Wrong("engine: Fault.Row: rows count from 1, is %d", "请填写行号，行号从 1 起，现为 %d", f.Row)
		}
		return nil
	}
	return Wrong("engine: Fault.Name: unknown fault %q", "没有故障 %q", f.Name)
}

// fault is the submission's first fault of the name.
func (s *submission) fault(name string) (Fault, bool) {
	i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, false
	}
	return s.faults[i], true
}

// releaseHeld gives the orders that are held their final answers: those of a
// merchant and operation, "" for all. An order that still waits for a person
// is held no more.
func (e *Engine) releaseHeld(merchant, op string) {
	meant := func(o *order) bool { return is(merchant, o.merchant.code()) && is(op, o.op.name) }
	var kept []*order
	for _, o := range e.held {
		if meant(o) {
			e.release(o)
		} else {
			kept = append(kept, o)
		}
	}
	e.held = kept
	for _, o := range e.orderList {
		if o.state == orderWaiting && meant(o) {
			o.hold = false
		}
	}
}
