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

func TestMargin(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`guarantor margin of 赵六: 400\.00 given back`,
		`guarantor margin of 赵六: 600\.00 given back`,
		`borrower margin of 张三: 200\.00 given back`,
		`borrower margin of 张三: 300\.00 given back`,
		`refused: MG\w+ 解冻保证金失败，解冻金额超出冻结的保证金，.*`,
		`张三 has 11000\.00 available, 0\.00 frozen`,
		`赵六 has 1000\.00 available, 0\.00 frozen`,
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	demotest.Fails(t, run, func(box *sandbox.Sandbox) error {
		return box.Fault("808801", sandbox.Fault{Name: "code", Op: "GuaranteeUnfreeze", Code: "MG00001F"})
	}, "unfreeze-margin")
}
