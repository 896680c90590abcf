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

func TestContracts(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`auto-bid contract until \d{8}: loans of 1000\.00 to 10000\.00 at 8\.00 % to 15\.00 %`,
		`automatic bid: success, 3000\.00 frozen`,
		`auto-repay contract of 张三`,
		`claim CR\w+: repaid`,
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"auto-bid contract", sandbox.Fault{Name: "code", Op: "AutoNewSigning", Code: "MG00001F"}, "sign-auto-bid"},
		{"automatic bid", sandbox.Fault{Name: "code", Op: "registerCreditor", Code: "MG03011F"}, "MG03011F"},
		{"auto-repay contract", sandbox.Fault{Name: "code", Op: "RepaymentSigning", Code: "MG00001F"}, "sign-auto-repay"},
		{"a row of the automatic repayment", sandbox.Fault{Name: "row", Op: "RepaymentNewTrade", Row: 1}, "row 1: 还款失败"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			demotest.Fails(t, run, func(box *sandbox.Sandbox) error { return box.Fault("808801", tt.fault) }, tt.want)
		})
	}
}
