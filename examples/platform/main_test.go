package main

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// output is what the program prints, for several goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// The program starts with nothing but a free port, serves, and ends when told.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0"}, func(string) string { return "" }, &out)
	}()
	address := regexp.MustCompile(`The platform: (http://127\.0\.0\.1:[0-9]+)`)
	require.Eventually(t, func() bool { return address.MatchString(out.String()) }, patience, 20*time.Millisecond)
	resp, err := http.Get(address.FindStringSubmatch(out.String())[1] + "/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Regexp(t, `Log in as admin with the password [A-Z2-7]{26}`, out.String())
	cancel()
	select {
	case err := <-done:
		assert.ErrorIs(t, err, nil)
	case <-time.After(patience):
		require.Fail(t, "the program does not end")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"an argument":                     {[]string{"x"}, nil, `unexpected argument "x"`},
		"no interval":                     {[]string{"-reconcile", "0s"}, nil, "-reconcile and -age must be more than 0"},
		"an address":                      {[]string{"-listen", "nowhere"}, nil, "nowhere"},
		"the real IPS":                    {nil, map[string]string{"IPS_URL": "https://p2p.ips.com.cn"}, "is the real IPS"},
		"half a merchant":                 {nil, map[string]string{"IPS_URL": "http://127.0.0.1:1", "IPS_MERCHANT": "123456"}, "IPS_CERT is not set"},
		"a bad public key":                {nil, map[string]string{"IPS_URL": "http://127.0.0.1:1", "IPS_MERCHANT": "123456", "IPS_PUBLIC_KEY": "x"}, "IPS_PUBLIC_KEY"},
		"a bad MySQL URL":                 {nil, map[string]string{"DATABASE_URL": "mysql://u:secret@"}, "no URL like mysql://"},
		"public keys beyond this machine": {[]string{"-listen", "0.0.0.0:0"}, nil, "keys of the test merchant are public"},
		"a bad base":                      {[]string{"-base", "ftp://x"}, nil, "want an absolute http or https URL"},
		"a bad database":                  {nil, map[string]string{"DATABASE_URL": "postgres://u:secret@[bad"}, "no PostgreSQL URL"},
		"a short password":                {nil, map[string]string{"PLATFORM_ADMIN_PASSWORD": "short"}, "登录密码须为"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-listen", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "p.db")}, test.args...)
			err := run(t.Context(), args, func(name string) string { return test.env[name] }, new(output))
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}
