package main

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

// What a member signed last is what he allows, and however often he signs, he hides
// nobody else's contract.
func TestContracts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, address string) {
		w := newWorld(t, address)
		zhang, li, wang := w.customer("张三", ""), w.customer("李四", "3000.00"), w.customer("王五", "3000.00")
		signs := func(p *person, to string) Contract {
			require.Contains(t, p.press("/contracts", "/contracts/bid", url.Values{"from": {"1.00"}, "to": {to}}), "IPS 已处理成功")
			w.settle()
			return all[Contract](w, "user_id = ? ORDER BY signed_at DESC", p.user().ID)[0]
		}
		of := signs(wang, "1000000.00")
		wide := signs(li, "1000000.00")
		narrow := signs(li, "500.00")
		d := w.app.data.read(t.Context())
		for i := range 101 {
			c := narrow
			c.AuthNo, c.SignedAt = fmt.Sprint("X", i), time.Now()
			add(d, c)
		}
		require.NoError(t, d.err)
		// Each of the rules is asked for, and holds.
		for field, wrong := range map[string]string{"valid": "13", "termfrom": "37", "termto": "0", "ratefrom": "0.50", "rateto": "25.00", "from": "2000000.00"} {
			assert.Equal(t, 422, li.submit("/contracts", "/contracts/bid", url.Values{field: {wrong}}).Status, field)
		}
		zhao := w.customer("赵六", "3000.00")
		require.Contains(t, zhao.press("/contracts", "/contracts/bid", url.Values{"valid": {"6"}, "termfrom": {"3"}, "termto": {"24"}, "ratefrom": {"5.00"}, "rateto": {"20.00"}}), "IPS 已处理成功")
		w.settle()
		longer := all[Contract](w, "user_id = ?", zhao.user().ID)[0]
		assert.Regexp(t, `(?s)3 个月 至 24 个月.*5\.00% 至 20\.00%`, zhao.see("/contracts"))
		bid := zhang.borrows("1000.00", "0.00", "2", "1")
		path := "/admin/loan/" + bid
		page := w.admin.see(path)
		assert.Contains(t, page, of.AuthNo)
		assert.NotContains(t, page, wide.AuthNo)
		bids := func(c Contract) string {
			return string(w.admin.sends(path+"/autobid", url.Values{"contract": {c.AuthNo}, "amount": {"400.00"}}).Body)
		}
		assert.Contains(t, bids(wide), "没有适用于该标的的自动投标签约", "he allows loans of up to 500.00 yuan now")
		assert.Contains(t, bids(longer), "没有适用于该标的的自动投标签约", "his begin at 3 months")
		assert.Contains(t, bids(of), "自动投标 400.00 元")
		w.settle()
		li.has(3000*ips.Yuan, 0)
		wang.has(3000*ips.Yuan-400*ips.Yuan-40*ips.Fen, 400*ips.Yuan+40*ips.Fen)
		w.assertBooks()
	})
}
