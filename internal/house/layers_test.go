package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLayers: internal is below the SDK, all but what tests it and keeps house; and
// the SDK reads XML by its own reader, which encoding/xml judges.
func TestLayers(t *testing.T) {
	t.Parallel()
	const sdk = "github.com/ips-p2p/ips"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...").Output()
	require.NoError(t, err)
	seen := 0
	for line := range strings.Lines(string(out)) {
		pkg, needs := strings.Fields(line)[0], strings.Fields(line)[1:]
		below, ok := strings.CutPrefix(pkg, sdk+"/internal/")
		switch {
		case pkg == sdk, pkg == sdk+"/orders":
			assert.NotContains(t, needs, "encoding/xml", pkg)
			seen++
		case ok && below != "house" && !strings.HasPrefix(below, "test/"):
			assert.NotContains(t, needs, sdk, "%s stands above the SDK", pkg)
			seen++
		}
	}
	assert.Greater(t, seen, 10)
}
