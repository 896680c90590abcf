package main

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCompose: the compose file is YAML, says what is written here, and sets
// flags that there are. That the image runs is tried by .ci/container.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("container/compose.yaml")
	require.NoError(t, err)
	assert.YAMLEq(t, `{
		"services": {"ips": {
			"image": "ips-sandbox",
			"ports": ["127.0.0.1:8480:8480"],
			"environment": {"IPS_SANDBOX_HOST": "ips", "IPS_SANDBOX_DATA": "/data"},
			"user": "0:0",
			"volumes": ["ips-data:/data"],
			"read_only": true,
			"cap_drop": ["ALL"]
		}},
		"volumes": {"ips-data": {}}
	}`, string(text))

	image, err := os.ReadFile("container/Containerfile")
	require.NoError(t, err)
	var values []string
	for lines := bufio.NewScanner(bytes.NewReader(image)); lines.Scan(); {
		if env, ok := strings.CutPrefix(lines.Text(), "ENV "); ok {
			for pair := range strings.FieldsSeq(env) {
				name, value, _ := strings.Cut(pair, "=")
				values = append(values, name, value)
			}
		}
	}
	values = append(values, "IPS_SANDBOX_HOST", "ips", "IPS_SANDBOX_DATA", "/data", "IPS_SANDBOX_BASE", "https://ips.test.example.com")
	var stderr bytes.Buffer
	o, err := readOptions(nil, environment(values...), &stderr)
	require.NoError(t, err)
	assert.Equal(t, "0.0.0.0:8480", o.addr)
	assert.True(t, o.allowRemote)
	assert.Equal(t, []string{"ips"}, []string(o.hosts))
	assert.Equal(t, "/data", o.data)
	assert.Equal(t, "https://ips.test.example.com", o.base)
}
