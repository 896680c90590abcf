package orderstest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// A refusal that the browser brings of a form that was handed out twice settles
// nothing: the other copy of the form may have got through. The notification that
// says the same does, although it is a copy.
func TestRefusalOfSecondForm(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.ips.fates = func(string, string, int) fate { return refused }
		o := s.record(s.book, recharge(10*ips.Yuan))
		form, err := s.book.Form(bg(), o)
		require.NoError(t, err)
		_, err = s.book.Form(bg(), o)
		require.NoError(t, err)
		fields := s.ips.carry(form)
		require.NoError(t, bring(s.client, s.book.Hear, ips.OpRecharge, fields))
		s.is(o, orders.StateRecorded)
		assert.Equal(t, 200, post(s.client, s.book.Hear, ips.OpRecharge, fields))
		s.is(o, orders.StateRefused)
		assert.Empty(t, s.matters())
	})
}
