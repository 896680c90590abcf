package engine

import (
	"errors"
	"fmt"
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

// fault is an ordered deviation, for one merchant or, with "", for all.
type fault struct {
	Fault
	merchant string
	left     int
}

func (e *Engine) examineFault(merchant string, f *Fault) error {
	if f == nil {
		return errors.New("engine: Fault: missing")
	}
	if merchant != "" {
		if err := e.examineMerchant(merchant); err != nil {
			return err
		}
	}
	op := e.operations[f.Op]
	if op == nil {
		return fmt.Errorf("engine: Fault.Op: unknown operation %q", f.Op)
	}
	if f.Count < 0 {
		return fmt.Errorf("engine: Fault.Count: must not be negative, is %d", f.Count)
	}
	switch f.Name {
	case faultStayPending:
		return nil
	case faultCode:
		switch {
		case f.Lift:
			return nil
		case strings.TrimSpace(f.Code) == "" || !utf8.ValidString(f.Code) || !utf8.ValidString(f.Text):
			return errors.New("engine: Fault.Code: a refusal needs its code, in UTF-8")
		case slices.Contains([]string{codeDone, codeAccepted, codeBidNew, codeBidRaising, codeBidEnding, codeBidEnded}, f.Code):
			return fmt.Errorf("engine: Fault.Code: %s is no refusal", f.Code)
		}
		return nil
	case faultRow:
		switch {
		case op.rows == nil:
			return fmt.Errorf("engine: Fault.Op: %s has no rows", f.Op)
		case !f.Lift && f.Row < 1:
			return fmt.Errorf("engine: Fault.Row: rows count from 1, is %d", f.Row)
		}
		return nil
	}
	return fmt.Errorf("engine: Fault.Name: unknown fault %q", f.Name)
}

// examineFaults looks at the faults that a submit brings along.
func (e *Engine) examineFaults(merchant, op string, faults []Fault) error {
	for _, f := range faults {
		f.Op = op
		if f.Lift {
			return errors.New("engine: Faults: nothing to lift")
		}
		if err := e.examineFault(merchant, &f); err != nil {
			return err
		}
	}
	return nil
}

// ownFaults are the faults that a submit brings along, each to be met once.
func ownFaults(cmd *Command) []*fault {
	var list []*fault
	for _, f := range cmd.Faults {
		f.Op = cmd.Op
		list = append(list, &fault{Fault: f, merchant: cmd.Merchant, left: 1})
	}
	return list
}

// takeOwn finds a fault that came with the submission, and uses it up.
func (s *submission) takeOwn(name string) *fault {
	for i, f := range s.faults {
		if f.Name == name && s.canMeet(f) {
			s.faults = slices.Delete(s.faults, i, i+1)
			return f
		}
	}
	return nil
}

// canMeet says whether the submission has what the fault is about.
func (s *submission) canMeet(f *fault) bool {
	return f.Name != faultRow || len(s.msg.rows("pDetails")) >= f.Row
}

// setFault orders a fault, or takes it back and gives the orders that it held
// their final answers.
func (e *Engine) setFault(merchant string, f Fault) {
	if !f.Lift {
		e.faults = append(e.faults, &fault{Fault: f, merchant: merchant, left: max(f.Count, 1)})
		return
	}
	lifted := func(g *fault) bool {
		return g.Name == f.Name && g.Op == f.Op && (merchant == "" || g.merchant == merchant)
	}
	e.faults = slices.DeleteFunc(e.faults, lifted)
	if f.Name != faultStayPending {
		return
	}
	e.releaseHeld(merchant, f.Op)
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
			o.hold = nil
		}
	}
}

// takeFault finds a fault that meets the submission, and uses it up once.
func (e *Engine) takeFault(name string, s *submission) *fault {
	if f := s.takeOwn(name); f != nil {
		return f
	}
	for i, f := range e.faults {
		if f.Name != name || f.Op != s.op.name || (f.merchant != "" && f.merchant != s.merchant.code()) {
			continue
		}
		if !s.canMeet(f) {
			continue // no batch that it could meet
		}
		if f.left--; f.left == 0 {
			e.faults = slices.Delete(e.faults, i, i+1)
		}
		return f
	}
	return nil
}

func (f *fault) refusal(op *operation) *refusal {
	if f.Text != "" {
		return &refusal{f.Code, f.Text}
	}
	return refuse(op.title, f.Code)
}

// ExamineFault says why a fault for an operation of the merchant, or of any
// with "", makes no sense, and orders nothing.
func (e *Engine) ExamineFault(merchant string, f Fault) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.examineFault(merchant, &f)
}
