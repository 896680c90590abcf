package sandbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnindent(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "abc": "abc", " a b ": " a b ", "\n  abc\n ": "abc", "\r\n\tab\r\n\tc d\r\n": "ab\nc d", "ab\rcd": "ab\ncd",
	} {
		assert.Equal(t, want, unindent(in))
	}
}

func TestHostAllowed(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Hosts: []string{"sandbox.example.com:8480", "IPS", "ips.test."}, Base: "https://proxy.example.com:8443/"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8808": true, "192.168.0.7:80": true, "[::1]:8808": true, "[::1]": true,
		"localhost": true, "LOCALHOST:1": true, "localhost.": true, "sandbox.example.com": true, "Sandbox.Example.com:8808": true,
		"sandbox.example.com:8480": true, "ips": true, "ips:8480": true, "ips.test": true, "ips.test.:80": true,
		"proxy.example.com": true, "proxy.example.com:8443": true,
		"": false, "evil.example.com": false, "127.0.0.1.evil.example.com": false, "localhost.evil.example.com:8808": false,
		"xlocalhost": false, "sandbox.example.com.evil.example.com": false, "evil.ips.test": false,
	} {
		assert.Equal(t, want, s.Local(host), host)
	}
	for _, bad := range []string{"", " ", ":8480", "https://ips.test", "ips/console", "*", "*.example.com", "a@b", "a b"} {
		_, err := New(Config{Hosts: []string{bad}})
		assert.ErrorContains(t, err, "want a host name", bad)
	}
}
