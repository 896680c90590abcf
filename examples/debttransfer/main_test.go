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

func TestDebtTransfer(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`sale of 2000\.00 for 1900\.00: confirmed, the buyer's money is frozen`,
		`sale paid: from now on this part of the claim is repaid to 赵六`,
		`李四 has 1890\.00 available, 0\.00 frozen`, // 1,900 less a fee of 10
		`赵六 has 1095\.00 available, 0\.00 frozen`, // 3,000 less 1,900 and a fee of 5
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	demotest.Fails(t, run, func(box *sandbox.Sandbox) error {
		return box.Fault("808801", sandbox.Fault{Name: "code", Op: "registerCretansfer", Code: "MG00001F"})
	}, "register-debt-transfer")
}
