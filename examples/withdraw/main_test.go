package main

import (
	"testing"

	"github.com/ips-p2p/ips/examples/internal/demo/demotest"
	"github.com/ips-p2p/ips/internal/sandbox"
)

func TestMain(m *testing.M) { demotest.Main(m, main) }

func TestExitCodes(t *testing.T) {
	t.Parallel()
	demotest.Exits(t)
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`order WD\w+: refused, MG\w+ 提现申请失败，IPS账户余额不足，.*`,
		`the user is told: 提现申请失败，IPS账户余额不足，.*`,
		`order WD\w+: 800\.00 went to the card of 李四`,
		`李四 has 198\.00 available`,
	)
}

// The first withdrawal is refused anyway, so the fault must outlast it.
func TestRefused(t *testing.T) {
	t.Parallel()
	demotest.Fails(t, run, func(box *sandbox.Sandbox) error {
		return box.Fault("808801", sandbox.Fault{Name: "code", Op: "doDwTrade", Code: "MG19010F", Count: 2})
	}, "MG19010F")
}
