// Package demotest runs example programs in their tests: inside the test, and as
// processes of their own.
package demotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
)

const timeout = time.Minute

// Env is a program's environment.
type Env map[string]string

// Get is os.Getenv for a program that has this environment.
func (e Env) Get(name string) string { return e[name] }

// Elsewhere starts a sandbox and gives the environment that leads there, with
// some variables changed.
func Elsewhere(t *testing.T, cfg sandbox.Config, change Env) (*sandbox.Sandbox, Env) {
	t.Helper()
	box, err := sandbox.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, box.Close()) })
	base, err := box.Start("")
	require.NoError(t, err)
	m := sandbox.TestMerchant()
	env := Env{
		"IPS_POST_URL":  base + "/CreditWeb/",
		"IPS_WS_URL":    base + "/CreditWS/Service.asmx",
		"IPS_QUERY_URL": base + "/CreditWSQuery/Service.asmx",
		"IPS_MERCHANT":  m.Code,
		"IPS_CERT":      m.Cert,
		"IPS_3DES_KEY":  m.Key,
		"IPS_3DES_IV":   m.IV,
		"IPS_LISTEN":    "127.0.0.1:0",
	}
	maps.Copy(env, change)
	return box, env
}

// Program is the run function of a program.
type Program = func(ctx context.Context, getenv func(string) string, out *log.Logger) error

// Run runs a program inside the test and returns what it prints.
func Run(t *testing.T, program Program, env Env) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var out bytes.Buffer
	err := program(ctx, env.Get, log.New(&out, "", 0))
	return out.String(), err
}

// Prints runs a program on a sandbox of its own and on one elsewhere, whose
// books must be right afterwards. Both times it must print the lines that match
// the patterns, in this order.
func Prints(t *testing.T, program Program, patterns ...string) {
	t.Run("its own sandbox", func(t *testing.T) {
		t.Parallel()
		out, err := Run(t, program, nil)
		require.NoError(t, err, out)
		assertLines(t, out, patterns)
	})
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		box, env := Elsewhere(t, sandbox.Config{}, nil)
		out, err := Run(t, program, env)
		require.NoError(t, err, out)
		assertLines(t, out, patterns)
		require.NoError(t, box.CheckBooks())
		assert.NotEmpty(t, box.Messages(), "nobody talked to this sandbox")
	})
}

func assertLines(t *testing.T, out string, patterns []string) {
	t.Helper()
	rest := out
	for _, pattern := range patterns {
		at := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringIndex(rest)
		if !assert.NotNil(t, at, "no line %q here or further down in\n%s", pattern, out) {
			return
		}
		rest = rest[at[1]:]
	}
}

// program marks a process that is to be the program under test.
const program = "DEMOTEST_PROGRAM"

// Main is the TestMain of a program: the test binary is that program if [Exec]
// has started it.
func Main(m *testing.M, main func()) {
	if os.Getenv(program) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Exec runs the program as a process, with nothing but env in its environment.
func Exec(t *testing.T, env Env, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = []string{program + "=1"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Exits checks the exit codes of the program: 0 when all went well, 1 when it
// did not, 2 when it was called wrongly.
func Exits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		env    Env
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{name: "all well", code: 0, stdout: "sandbox in this program|opened at"},
		{name: "half an environment", env: Env{"IPS_LISTEN": "127.0.0.1:0"}, code: 1, stderr: "FAILED: to talk to another IPS set IPS_POST_URL"},
		{name: "argument", args: []string{"x"}, code: 2, stderr: `unexpected argument "x"`},
		{name: "flag", args: []string{"-nonsense"}, code: 2, stderr: "not defined: -nonsense"},
		{name: "help", args: []string{"-h"}, code: 0, stderr: "IPS_POST_URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := Exec(t, tt.env, tt.args...)
			require.Equal(t, tt.code, code, "%s\n%s", stdout, stderr)
			assert.Regexp(t, tt.stdout, stdout)
			assert.Contains(t, stderr, tt.stderr)
			if tt.code == 0 && tt.args == nil {
				assert.Empty(t, stderr)
			}
		})
	}
}

// Fails runs a program on a sandbox elsewhere that was spoilt, and makes sure
// that the error says what is wanted and nothing of the people.
func Fails(t *testing.T, run Program, spoil func(*sandbox.Sandbox) error, want string) {
	t.Helper()
	box, env := Elsewhere(t, sandbox.Config{}, nil)
	require.NoError(t, spoil(box))
	out, err := Run(t, run, env)
	require.ErrorContains(t, err, want, out)
	for _, secret := range []string{"1101011990", "1380000000", "@example.com", env["IPS_CERT"], env["IPS_3DES_KEY"], env["IPS_3DES_IV"]} {
		assert.False(t, strings.Contains(fmt.Sprint(out, err), secret), "personal data or a key in\n%s\n%v", out, err)
	}
	require.NoError(t, box.CheckBooks())
}
