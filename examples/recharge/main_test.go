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

func TestRecharge(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`13 banks, the first is 中国工商银行`,
		`order RC\w+: credited 2000\.00`,
		`order RC\w+: credited 1000\.00`,
		`order WR\w+: credited 500\.00`,
		`李四 has 3500\.00 available`,
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"at the bank", sandbox.Fault{Name: "code", Op: "doDpTrade", Code: "MG00001F"}, "MG00001F"},
		{"by the merchant", sandbox.Fault{Name: "code", Op: "CoDpTrade", Code: "MG00001F"}, "withholding-recharge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			demotest.Fails(t, run, func(box *sandbox.Sandbox) error { return box.Fault("808801", tt.fault) }, tt.want)
		})
	}
}
