package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/ips-p2p/ips/internal/diagnose"
	"github.com/ips-p2p/ips/internal/sandbox/console"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/fault"
	"github.com/ips-p2p/ips/internal/sandbox/messages"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Engine shows what is inside: copies, which change nothing. Whatever changes
// it goes through the methods of the sandbox.
func (s *Sandbox) Engine() *engine.Engine { return s.engine }

// CheckBooks recomputes every invariant of the books.
func (s *Sandbox) CheckBooks() error { return s.engine.CheckBooks() }

// Balance is the balance of a merchant's custody account, or of its own
// account if account is the merchant code.
func (s *Sandbox) Balance(merchant, account string) (engine.Balance, bool) {
	return s.engine.Balance(merchant, account)
}

// Deposit pays fen from outside into a custody account, or into the merchant's
// own account if account is "" or the merchant code.
func (s *Sandbox) Deposit(merchant, account string, fen int64) error {
	return s.command(engine.Command{Kind: engine.KindDeposit, Merchant: merchant, Account: account, Amount: fen})
}

// SetAuto lets people confirm at once and answer texts with yes, or makes them
// do it by hand: those of one account, or of the merchant if account is "" or
// the merchant code.
func (s *Sandbox) SetAuto(merchant, account string, auto bool) error {
	if account == merchant {
		account = ""
	}
	return s.command(engine.Command{Kind: engine.KindMode, Merchant: merchant, Account: account, Auto: auto})
}

// Mandate signs or withdraws an account's withholding mandate (委托授权书).
func (s *Sandbox) Mandate(merchant, account string, signed bool) error {
	return s.command(engine.Command{Kind: engine.KindMandate, Merchant: merchant, Account: account, Yes: signed})
}

// SeedOldBid brings in a bid of the interface before v2.0, which only the old
// repayment knows.
func (s *Sandbox) SeedOldBid(merchant string, bid engine.OldBid) error {
	return s.command(engine.Command{Kind: engine.KindOldBid, Merchant: merchant, OldBid: &bid})
}

// ReplySMS answers a text message as the person it was sent to would.
func (s *Sandbox) ReplySMS(id string, yes bool) error {
	return s.command(engine.Command{Kind: engine.KindSMS, ID: id, Yes: yes})
}

// Confirm says yes to what an operation asks, as the person on the page would.
// What a page wants in input is with its kind: [engine.PagePassword],
// [engine.PageAccount], [engine.PageBank].
func (s *Sandbox) Confirm(id string, input map[string]string) error {
	out, err := s.Do(context.Background(), engine.Command{Kind: engine.KindConfirm, ID: id, Input: input})
	if err == nil && out.Ask != "" {
		err = fmt.Errorf("sandbox: confirm %s: %s", id, out.Problem)
	}
	return err
}

// Cancel says no to what an operation asks.
func (s *Sandbox) Cancel(id string) error {
	return s.command(engine.Command{Kind: engine.KindCancel, ID: id})
}

// ConfirmPath is the path of the page on which a person confirms what id asks.
// It cannot be guessed, and who knows it can open the page.
func (s *Sandbox) ConfirmPath(id string) string { return s.pages.ConfirmPath(id) }

// Return seals the answer that a browser brings back to the merchant.
func (s *Sandbox) Return(peer string, ask engine.AskInfo, a engine.Answer) (wire.Envelope, error) {
	op, _ := wire.PageOperation(ask.Op + ".aspx")
	res, err := s.answer(s.merchants[ask.Merchant], request{op: op, via: messages.ViaReturn, peer: peer}, result{op: op, order: ask.Order}, a)
	return res.answer, err
}

// OrderFault orders a fault and returns its number. Faults end with the
// sandbox: a store does not keep them.
func (s *Sandbox) OrderFault(f Fault) (id int64, err error) {
	defer s.feed.Touch(console.State)
	if f.Merchant != "" && s.merchants[f.Merchant] == nil {
		return 0, engine.Wrong("sandbox: fault %s: Merchant: unknown code %q", "故障 %s：商户号 %q 不存在", f.Name, f.Merchant)
	}
	return s.faults.Order(f)
}

// Fault orders a fault that hits a merchant, as [Sandbox.OrderFault] does.
func (s *Sandbox) Fault(merchant string, f Fault) error {
	f.Merchant = merchant
	_, err := s.OrderFault(f)
	return err
}

// LiftFault takes a fault back. Lifting [fault.StayPending] releases the orders
// that it held, as [Sandbox.Release] does. It fails with [ErrNotFound] if
// there is no fault of that number.
func (s *Sandbox) LiftFault(id int64) error {
	defer s.feed.Touch(console.State)
	f, ok := s.faults.Lift(id)
	if !ok {
		return fmt.Errorf("sandbox: fault %d: %w", id, ErrNotFound)
	}
	if f.Name == fault.StayPending {
		return s.Release(f.Merchant, f.Op)
	}
	return nil
}

// LiftFaults takes all faults back.
func (s *Sandbox) LiftFaults() error {
	var errs []error
	for _, f := range s.Faults() {
		if err := s.LiftFault(f.ID); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Faults lists the faults in the order of their ordering. Those that are used
// up stay on the list until they are lifted, for people to see.
func (s *Sandbox) Faults() []fault.State { return s.faults.List() }

// Release gives the orders that are held pending their final answers: those of
// a merchant and operation, or of all with "". It also works after a restart,
// when the fault that held them is forgotten.
func (s *Sandbox) Release(merchant, op string) error {
	return s.command(engine.Command{Kind: engine.KindRelease, Merchant: merchant, Op: op})
}

// Reset forgets everything but the merchants and the clock: users, orders,
// money, faults, messages, and the notifications that are settled.
func (s *Sandbox) Reset() error {
	if err := errors.Join(s.LiftFaults(), s.command(engine.Command{Kind: engine.KindReset})); err != nil {
		return err
	}
	s.messages.Forget()
	s.notifier.Forget()
	s.feed.Touch(console.Messages)
	s.feed.Touch(console.Notices)
	return nil
}

// Notifications returns the newest notifications, oldest first.
func (s *Sandbox) Notifications() []Notification { return s.notifier.List() }

// NewestNotices are a page of those of the newest notifications that have a text
// and that takes accepts, and how many there are.
func (s *Sandbox) NewestNotices(text string, p engine.Page, takes func(*Notification) bool) ([]Notification, int) {
	return s.notifier.Newest(text, p, takes)
}

// GivenUp returns those of the newest notifications whose every attempt failed.
func (s *Sandbox) GivenUp() []Notification {
	return slices.DeleteFunc(s.Notifications(), func(n Notification) bool { return n.State != notifier.Abandoned })
}

// Posting is a notification and what is posted for it.
func (s *Sandbox) Posting(seq int64) (Notification, wire.Envelope, bool) { return s.notifier.Find(seq) }

// Resend sends a notification once more, at once. It fails with [ErrNotFound]
// if there is no notification of that number.
func (s *Sandbox) Resend(seq int64) error {
	return s.notifier.Resend(seq)
}

// WaitDelivered returns when every notification is delivered or given up, or
// with an error when ctx ends first.
func (s *Sandbox) WaitDelivered(ctx context.Context) error { return s.notifier.Wait(ctx) }

// Messages returns the newest messages, oldest first, with id numbers, bank
// cards and mobiles masked.
func (s *Sandbox) Messages() []Message {
	all := s.messages.List()
	for i := range all {
		all[i].XML = messages.Mask(all[i].XML)
	}
	return all
}

// Unmasked returns what [Sandbox.Messages] does, with id numbers, bank cards and
// mobiles as they went over the wire.
func (s *Sandbox) Unmasked() []Message { return s.messages.List() }

// NewestMessages are a page of those that have a text and that takes accepts, and
// how many there are.
func (s *Sandbox) NewestMessages(text string, p engine.Page, takes func(*Message) bool) ([]Message, int) {
	return s.messages.Newest(text, p, takes)
}

// Diagnose says in Chinese all that is wrong with the signature or the body of a
// request, the cause first, and nothing where there is nothing to say: of a list of
// banks, nothing but the merchant code is signed.
func (s *Sandbox) Diagnose(m Message) (wrong []string) {
	if m.Refusal == "" || m.Op == "GetBankList" {
		return nil
	}
	fields := make(url.Values)
	for _, f := range m.Fields {
		fields.Add(f.Name, f.Value)
	}
	own, others := cmp.Or(s.merchants[m.Merchant], s.merchants[s.codes[0]]), []diagnose.Keys{}
	for _, code := range s.codes {
		if other := s.merchants[code]; other != own {
			others = append(others, other.secrets)
		}
	}
	for _, f := range diagnose.Request(fields, own.secrets, others...) {
		if f.Severity != diagnose.OK {
			wrong = append(wrong, f.Chinese)
		}
	}
	return wrong
}

// Unavailable says whether an error means that the sandbox can do nothing any
// more.
func (s *Sandbox) Unavailable(err error) bool {
	return errors.Is(err, ErrClosed) || errors.Is(err, ErrStore)
}

// Unknown says whether an error means that there is no such thing.
func (s *Sandbox) Unknown(err error) bool { return errors.Is(err, ErrNotFound) }

// maxAdvance keeps the clock within what times and durations can hold.
const maxAdvance = 100 * 365 * 24 * time.Hour
