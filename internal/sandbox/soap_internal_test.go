package sandbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
	s := &Sandbox{hosts: []string{"sandbox.example.com"}}
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8808": true, "192.168.0.7:80": true, "[::1]:8808": true, "[::1]": true,
		"localhost": true, "LOCALHOST:1": true, "localhost.": true, "sandbox.example.com": true, "Sandbox.Example.com:8808": true,
		"": false, "evil.example.com": false, "127.0.0.1.evil.example.com": false, "localhost.evil.example.com:8808": false,
		"xlocalhost": false, "sandbox.example.com.evil.example.com": false,
	} {
		assert.Equal(t, want, s.Local(host), host)
	}
}
