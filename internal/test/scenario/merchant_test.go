package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/ipstest"
)

// In MD5withRSA mode answers of every transport are signed with the key of IPS.
func TestRSA(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithMD5withRSA())
	l := runLoan(t, s) // forms, a web service, notifications
	authNo := signAutoRepay(t, s, autoRepayContractOf(s, l.borrower))
	first, err := s.Client().AutoRepay(t.Context(), autoRepaymentOf(s, l.bid, authNo, instalment(l.ofFirst, 600*ips.Yuan)))
	require.NoError(t, err)
	assert.Equal(t, ips.Success, notified(t, s, first).Outcome)
	b, err := s.Client().QueryBalance(t.Context(), l.first.Account)
	require.NoError(t, err)
	assert.Equal(t, 2539*ips.Yuan, b.Available)

	// A client that expects MD5 believes nothing of it, and the other way round.
	cfg := s.Config()
	cfg.PublicKey = nil
	md5, err := ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = md5.UnfreezeMargin(t.Context(), l.unfreezing(s, ips.BorrowerMargin, ips.Yuan))
	require.ErrorIs(t, err, ips.ErrFateUnknown)
	require.ErrorIs(t, err, ips.ErrSignature)
	s.AssertBalance(l.borrower.Account, 10_899*ips.Yuan, 499*ips.Yuan) // it was done all the same

	plain := startIPS(t)
	cfg = plain.Config()
	cfg.PublicKey = s.Config().PublicKey
	rsa, err := ips.NewClient(cfg)
	require.NoError(t, err)
	_, err = rsa.EndBid(t.Context(), ips.EndBidRequest(l.bid))
	require.ErrorIs(t, err, ips.ErrSignature)
}

// Two merchants at one IPS share nothing.
func TestTwoMerchants(t *testing.T) {
	t.Parallel()
	s := startIPS(t, ipstest.WithSecondMerchant())
	other := s.Second()
	mine, his := s.Person(500*ips.Yuan), other.Person(700*ips.Yuan)

	t.Run("accounts", func(t *testing.T) {
		_, err := s.Client().QueryBalance(t.Context(), his.Account)
		requireRefused(t, ips.CodeQueryFailed, err)
		requireRefusal(t, "MG19010F", s.Carry(seal(t, s.Client().Withdraw, withdrawalOf(s, his, ips.Yuan))))
		got, err := other.Client().QueryBalance(t.Context(), his.Account)
		require.NoError(t, err)
		assert.Equal(t, 700*ips.Yuan, got.Available)
		assert.Equal(t, "808802", got.MerchantCode)
	})
	t.Run("order and bid numbers", func(t *testing.T) {
		bid := bidOf(s, mine)
		require.NoError(t, carry[*ips.BidResponse](t, s, s.Client().RegisterBid, bid).Err())
		bid.IdentNo, bid.RealName, bid.Account = his.IdentNo, his.Name, his.Account
		got := carry[*ips.BidResponse](t, other, other.Client().RegisterBid, bid)
		require.NoError(t, got.Err())
		notice := notified(t, other, got)
		assert.Equal(t, "808802", notice.MerchantCode)
		s.AssertBalance(mine.Account, 0, 500*ips.Yuan)
		other.AssertBalance(his.Account, 200*ips.Yuan, 500*ips.Yuan)
	})
	t.Run("answers", func(t *testing.T) {
		for _, resp := range append(s.Arrived(), other.Arrived()...) {
			assert.Contains(t, []string{merchantCode, "808802"}, resp.Base().MerchantCode)
		}
		for _, resp := range s.Arrived() {
			assert.Equal(t, merchantCode, resp.Base().MerchantCode)
		}
	})
}

// ledger is a platform's own books: what it credited its users with.
type ledger struct {
	mu       sync.Mutex
	failures int // to come, before it works
	credited map[string]ips.Amount
}

func (l *ledger) credit(_ context.Context, a *ips.RechargeResponse) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Outcome != ips.Success {
		return nil
	}
	if l.failures > 0 {
		l.failures--
		return errors.New("database is down")
	}
	l.credited[a.Account] += a.Amount
	return nil
}

// ignore acknowledges what a test is not about.
func ignore(context.Context, ips.Response) error { return nil }

func (l *ledger) of(account string) ips.Amount {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credited[account]
}

// A whole platform behind the inbox: its handlers credit a recharge exactly
// once, whatever fails and however often it is told.
func TestHandlersCreditOnce(t *testing.T) {
	t.Parallel()
	books := &ledger{credited: make(map[string]ips.Amount)}
	mux := http.NewServeMux()
	s := startIPS(t, ipstest.WithHandler(mux))
	inbound := ips.Inbound{Hear: ips.Deduplicated(new(ipstest.MemoryOnce), ips.On(books.credit, ignore))}
	mux.Handle("/ips/notify/", s.Client().NotifyHandler(inbound))
	mux.Handle("/ips/return/", s.Client().ReturnHandler(inbound, func(w http.ResponseWriter, _ *http.Request, _ ips.Response, err error) {
		if err != nil {
			http.Error(w, "later", http.StatusServiceUnavailable)
		}
	}))
	p := s.Person(0)

	books.failures = 3 // more than the ways it comes by
	req := rechargeOf(s, p, 500*ips.Yuan)
	form := seal(t, s.Client().Recharge, req)
	paid := s.Carry(form)
	require.NoError(t, paid.Err())
	s.WaitIdle()
	assert.Equal(t, 500*ips.Yuan, books.of(p.Account))

	assertRepeated(t, paid, s.Carry(form)) // the user presses the back button
	for range 3 {
		s.Resend(ips.OpRecharge, req.OrderNo)
	}
	s.WaitIdle()
	assert.Equal(t, 500*ips.Yuan, books.of(p.Account))
	s.AssertBalance(p.Account, 500*ips.Yuan, 0)
}

// The client is used by many at once, as in a server.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := startIPS(t)
	l := openLoan(t, s)
	const n = 50
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		req := l.unfreezing(s, ips.BorrowerMargin, 10*ips.Yuan)
		wg.Go(func() {
			_, err := s.Client().UnfreezeMargin(context.Background(), req)
			if i%2 == 0 { // every other one is sent twice
				_, again := s.Client().UnfreezeMargin(context.Background(), req)
				if refuses != errors.Is(again, ips.ErrDuplicate) {
					err = errors.Join(err, fmt.Errorf("sent twice: %w", again))
				}
			}
			errs <- err
		})
	}
	wg.Wait()
	for range n {
		require.NoError(t, <-errs)
	}
	s.AssertBalance(l.borrower.Account, 2000*ips.Yuan, 0)
	s.WaitIdle()
}
