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

func TestInvest(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`bid for 购车: success, 标的募集中`,
		`claim CR\w+: success, 6006\.00 frozen`,
		`claim CR\w+: success, 4004\.00 frozen`,
		`claim CR\w+: 6000\.00 paid out`,
		`claim CR\w+: 4000\.00 paid out`,
		`bid for 开店: success, 标的募集中`,
		`claim CR\w+: success, 1001\.00 frozen`,
		`claim CR\w+: 1000\.00 paid out`,
		`claim CR\w+: success, 1001\.00 frozen`,
		`claim CR\w+: 1000\.00 paid out`,
		`张三 has 11880\.00 available`, // 12,000 less 1 %
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"bid", sandbox.Fault{Name: "code", Op: "registerSubject", Code: "MG02044F"}, "MG02044F"},
		{"investor", sandbox.Fault{Name: "code", Op: "registerCreditor", Code: "MG03108F"}, "MG03108F"},
		{"release", sandbox.Fault{Name: "code", Op: "Transfer", Code: "MG00001F"}, "MG00001F"},
		{"a row of the release", sandbox.Fault{Name: "row", Op: "Transfer", Row: 2}, "row 2: 转账失败"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			demotest.Fails(t, run, func(box *sandbox.Sandbox) error { return box.Fault("808801", tt.fault) }, tt.want)
		})
	}
}
