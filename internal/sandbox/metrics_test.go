package sandbox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/stretchr/testify/assert"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := start(t, sandbox.Config{Backoff: []time.Duration{time.Millisecond}})
	assert.Equal(t, "# TYPE ips_sandbox_notifications_pending gauge\nips_sandbox_notifications_pending 0\n", f.do(http.MethodGet, "/metrics", "", "").body)
	f.shop.answer(http.StatusInternalServerError, http.StatusInternalServerError)
	f.openAccount("A1", "110101199001010001", "张三", "13800000001", "zhangsan")
	f.delivered()
	f.openAccount("A2", "110101199001010002", "李四", "13800000002", "lisi")
	f.delivered()
	forged := seal(f.keys, "arg", f.opening("A3"))
	forged.Set("argSign", "0")
	f.post(page, forged)
	forged.Set("argMerCode", `99"}\n`)
	f.post(page, forged)
	f.call11(trade, "GetBankList", "argMerCode", "808801", "argSign", f.keys.SignText("808801"))
	r := f.do(http.MethodGet, "/metrics", "", "")
	assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", r.header.Get("Content-Type"))
	assert.Equal(t, `# TYPE ips_sandbox_notification_posts_total counter
ips_sandbox_notification_posts_total{result="failed"} 2
ips_sandbox_notification_posts_total{result="taken"} 1
# TYPE ips_sandbox_notifications_lost_total counter
ips_sandbox_notifications_lost_total{state="abandoned"} 1
# TYPE ips_sandbox_refusals_total counter
ips_sandbox_refusals_total{op="CreateNewIpsAcct",code="MG00002F"} 1
ips_sandbox_refusals_total{op="CreateNewIpsAcct",code="MG00003F"} 1
# TYPE ips_sandbox_requests_total counter
ips_sandbox_requests_total{op="CreateNewIpsAcct",outcome="done"} 2
ips_sandbox_requests_total{op="CreateNewIpsAcct",outcome="refused"} 2
ips_sandbox_requests_total{op="GetBankList",outcome="done"} 1
# TYPE ips_sandbox_notifications_pending gauge
ips_sandbox_notifications_pending 0
`, r.body)
}
