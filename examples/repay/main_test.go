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

func TestRepay(t *testing.T) {
	t.Parallel()
	demotest.Prints(t, run,
		`claim CR\w+: repaid`,
		`claim CR\w+: repaid`,
		`bid BID\w+: ended, 标的结束`,
		`张三 has 898\.00 available, 0\.00 frozen`, // 1,000 less 1 % of 10,000 and twice 1.00
		`李四 has 6054\.00 available, 0\.00 frozen`,
		`王五 has 4036\.00 available, 0\.00 frozen`,
	)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string
	}{
		{"repayment", sandbox.Fault{Name: "code", Op: "RepaymentNewTrade", Code: "MG00001F"}, "MG00001F"},
		{"a row of it", sandbox.Fault{Name: "row", Op: "RepaymentNewTrade", Row: 2}, "row 2: 还款失败"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			demotest.Fails(t, run, func(box *sandbox.Sandbox) error { return box.Fault("808801", tt.fault) }, tt.want)
		})
	}
}
