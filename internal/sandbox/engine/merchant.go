package engine

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ips-p2p/ips/internal/sandbox/ledger"
)

// maxDeposit bounds what one command brings in from outside: a million
// million yuan are enough to play with and leave the books far from their end.
const maxDeposit = 100_000_000_000_000

// maxOutside bounds all that has ever come in, so that no balance can overflow.
const maxOutside = 1_000_000_000_000_000_000

// maxClockSkew bounds how far the platform's clock may be off.
const maxClockSkew = time.Hour

// merchant is a P2P platform. Its code is also the name of its own account.
type merchant struct {
	Settings
	password passwordHash // of the organisation itself, when it guarantees
}

func (m *merchant) code() string { return m.Merchant }

// stamp is a moment as the platform's clock for the merchant has it.
func (m *merchant) stamp(t time.Time) string { return wireTime(t.Add(m.ClockSkew)) }

func examineSettings(s *Settings) error {
	switch {
	case s == nil:
		return errors.New("engine: Settings: missing")
	case len(s.Merchant) != 6 || !allDigits(s.Merchant):
		return fmt.Errorf("engine: Settings.Merchant: must be 6 digits, is %q", s.Merchant)
	case s.IPSFee < 0 || s.IPSFee > maxAmount:
		return fmt.Errorf("engine: Settings.IPSFee: must be 0 to %d fen, is %d", int64(maxAmount), s.IPSFee)
	case s.ClockSkew < -maxClockSkew || s.ClockSkew > maxClockSkew:
		return fmt.Errorf("engine: Settings.ClockSkew: must be within %s, is %s", maxClockSkew, s.ClockSkew)
	case s.Repeat != "" && s.Repeat != RepeatFirst && s.Repeat != RepeatRefuse:
		return fmt.Errorf("engine: Settings.Repeat: must be first or refuse, is %q", s.Repeat)
	case !utf8.ValidString(s.Name):
		return errors.New("engine: Settings.Name: not UTF-8")
	}
	return nil
}

// setMerchant adds a merchant or replaces its settings; its money and its
// users stay.
func (e *Engine) setMerchant(s Settings) {
	if m := e.merchants[s.Merchant]; m != nil {
		m.Settings = s
		return
	}
	m := &merchant{Settings: s, password: hashPassword(AutoPassword)}
	_ = e.books.Open(s.Merchant) // six digits, not seen before: cannot fail
	e.merchants[s.Merchant] = m
	e.merchantList = append(e.merchantList, m)
}

func (e *Engine) setMode(code, number string, auto bool) {
	if number == "" {
		e.merchants[code].Auto = auto
		return
	}
	e.accounts[number].mode = modeManual
	if auto {
		e.accounts[number].mode = modeAuto
	}
}

// deposit brings money in from outside: a merchant's own, or, so that a test
// need not recharge, that of one of its users.
func (e *Engine) deposit(cmd *Command) {
	name := cmd.Account
	if name == "" {
		name = cmd.Merchant
	}
	var batch ledger.Batch
	batch.Move(available(bankAccount), available(name), cmd.Amount, "入金")
	// Examined before: the accounts exist and the amount is in bounds.
	_ = e.books.Post(ledger.Cause{At: e.now, Merchant: cmd.Merchant, Operation: KindDeposit}, &batch)
}
