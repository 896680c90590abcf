package orderstest

import (
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/orders"
)

// A sealed request is bound to its order: changed, or moved to another one, it is
// neither shown nor sent.
func TestMovedRequest(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		block, err := aes.NewCipher([]byte(strings.Repeat("k", 32)))
		require.NoError(t, err)
		key, err := cipher.NewGCM(block)
		require.NoError(t, err)
		b := s.effects(s.open(pool(t, s.driver, s.dsn), nil, orders.Encrypt(key)))
		small, big := s.record(b, autoBid(1*ips.Yuan), orders.Hold()), s.record(b, autoBid(900*ips.Yuan), orders.Hold())
		var body []byte
		require.NoError(t, s.db.QueryRow(bind(s.kind.dialect, "SELECT body FROM ips_order WHERE order_key = ?"), big.Key).Scan(&body))
		set := func(body []byte) {
			_, err := s.db.Exec(bind(s.kind.dialect, "UPDATE ips_order SET body = ? WHERE order_key = ?"), body, small.Key)
			require.NoError(t, err)
		}
		changed := append([]byte(nil), body...)
		changed[len(changed)-1] ^= 1
		for _, is := range [][]byte{body, changed, body[:1], {}} {
			set(is)
			_, err = b.Send(bg(), small)
			require.Error(t, err)
			_, err = b.Order(bg(), small.Key)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "110101199001010001")
		}
		assert.Nil(t, s.ips.deal(small.OrderNo))
		o, err := b.Send(bg(), big)
		require.NoError(t, err)
		assert.Equal(t, orders.StateDone, o.State)
	})
}

// Tables of a later version are refused; a migration that broke off is finished.
func TestMigrateHalfAndNewer(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for _, text := range []string{"DROP TABLE ips_gone", "DROP TABLE ips_matter", "DELETE FROM ips_version"} {
			_, err := s.db.Exec(text)
			require.NoError(t, err)
		}
		require.NoError(t, s.book.Migrate(bg()))
		assert.Empty(t, s.matters())
		_, err := s.db.Exec("INSERT INTO ips_version (version) VALUES (99)")
		require.NoError(t, err)
		require.ErrorContains(t, s.book.Migrate(bg()), "version 99")
	})
}
