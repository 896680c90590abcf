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

func TestCompensate(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`guarantee: success, margin frozen 1000\.00`,
		`compensation of 60\.00: paid`,
		`compensation of 40\.00: paid`,
		`赵六 has 4150\.00 available, 900\.00 frozen`, // 5,000 less the margin, and 100 and 50 from 张三
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"guarantor", sandbox.Fault{Name: "code", Op: "registerGuarantor", Code: "MG04003F"}, "MG04003F"},
		{"a row of the compensation", sandbox.Fault{Name: "row", Op: "Transfer", Row: 2}, "row 2: 转账失败"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			demotest.Fails(t, run, func(box *sandbox.Sandbox) error { return box.Fault("808801", tt.fault) }, tt.want)
		})
	}
}
