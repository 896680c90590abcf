package ipstest_test

import (
	"testing"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

func TestPerson(t *testing.T) {
	t.Parallel()
	s := ipstest.NewServer(t)
	p := s.Person(500 * ips.Yuan)
	s.AssertBalance(p.Account, 500*ips.Yuan, 0)
	b, err := s.Client().QueryBalance(t.Context(), p.Account)
	if err != nil || b.Available != 500*ips.Yuan || !b.Verified {
		t.Fatal(b, err)
	}
	s.WaitIdle()
}
