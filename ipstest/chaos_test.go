package ipstest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// chaoticDay does the same things in a chaos and tells what became of them.
func chaoticDay(t *testing.T, seed uint64) (outcomes []string, books ips.Amount) {
	s := NewServer(t)
	p := s.Person(0)
	s.Chaos(seed, 0.05)
	for range 60 {
		form, err := s.Client().Recharge(ips.RechargeRequest{
			OrderNo: s.NewOrderNo(), Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 100 * ips.Yuan, Channel: ips.RechargeEBank, BankCode: "00004", FeePayer: ips.UserPaysFee,
		})
		require.NoError(t, err)
		said := "nothing"
		if answer := s.Carry(form); answer != nil {
			said = answer.Base().Outcome.String() + string(answer.Base().Code)
		}
		_, err = s.Client().WithholdingRecharge(context.Background(), ips.WithholdingRechargeRequest{
			OrderNo: s.NewOrderNo(), Date: s.Today(), IdentNo: p.IdentNo, RealName: p.Name, Account: p.Account,
			Amount: 100 * ips.Yuan, FeePayer: ips.UserPaysFee,
		})
		outcomes = append(outcomes, said)
		if err != nil {
			outcomes = append(outcomes, "error")
		}
	}
	s.Calm()
	s.WaitIdle()
	available, _ := s.Balance(p.Account)
	return outcomes, available
}

// The same seed does the same, another seed something else, and much of it; after
// the calm nothing goes wrong.
func TestChaos(t *testing.T) {
	outcomes, books := chaoticDay(t, 7)
	again, sameBooks := chaoticDay(t, 7)
	assert.Equal(t, outcomes, again)
	assert.Equal(t, books, sameBooks)
	other, _ := chaoticDay(t, 8)
	assert.NotEqual(t, outcomes, other)
	for _, want := range []string{"nothing", "successMG00000F", "pendingMG00008F", "failureMG00001F", "failureMG19999F", "error"} {
		assert.Contains(t, append(outcomes, other...), want)
	}

	s := NewServer(t)
	p := s.Person(0)
	s.Chaos(1, 1)
	s.Calm()
	s.Calm() // does nothing
	s.Recharge(p, 100*ips.Yuan)
	s.WaitIdle()
	s.AssertBalance(p.Account, 100*ips.Yuan, 0)
}

func TestChaosIsChecked(t *testing.T) {
	s := Start()
	defer s.Close()
	p := s.NewPerson()
	for _, rate := range []float64{0, -1, 1.01} {
		assert.Panics(t, func() { s.Chaos(1, rate) }, rate)
	}
	s.Chaos(0, 1)
	assert.Panics(t, func() { s.Chaos(1, 0.5) }, "a second one")
	assert.Panics(t, func() { s.Recharge(p, ips.Yuan) }, "what sets the stage")
	s.Calm()
}
