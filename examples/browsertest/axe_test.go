package browsertest

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// axe-core (MPL-2.0) is no part of this repository: the test gets this version of
// it, and no other, from wherever npm gets its packages.
const (
	axePackage = "axe-core@4.10.3"
	axeSHA256  = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb" // of axe.min.js
)

// getAxe returns the script, or "" where it cannot be had.
func getAxe(t *testing.T) string {
	t.Helper()
	script, err := packed(t.TempDir())
	if err != nil {
		require.NotEqual(t, "1", os.Getenv("IPS_REQUIRE_AXE"), "%s cannot be had: %v", axePackage, err)
		fmt.Fprintf(os.Stderr, "!!! SKIPPED: pages are not checked for accessibility, %s cannot be had: %v\n", axePackage, err)
		return ""
	}
	sum := sha256.Sum256(script)
	require.Equal(t, axeSHA256, hex.EncodeToString(sum[:]), "axe.min.js of %s", axePackage)
	return string(script)
}

func packed(folder string) ([]byte, error) {
	pack := exec.Command("npm", "pack", "--silent", axePackage)
	pack.Dir = folder
	if out, err := pack.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm pack: %w: %.200s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("npm pack left %d packages", len(found))
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("no axe.min.js in the package")
		}
		if err != nil {
			return nil, err
		}
		if file.Name == "package/axe.min.js" {
			return io.ReadAll(io.LimitReader(files, 4<<20))
		}
	}
}

// violations is a script that says what axe-core finds on a page.
func violations(axe string) string { return run(axe, `{resultTypes: ["violations"]}`) }

// contrasts is one that looks at nothing but colours.
func contrasts(axe string) string { return run(axe, `{runOnly: ["color-contrast"]}`) }

func run(axe, options string) string {
	return "window.axe || (() => {" + axe + "})();" + `axe.run(document, ` + options + `).then(r => r.violations.map(
		v => v.id + " (" + v.impact + "): " + v.nodes.map(n => n.html).slice(0, 3).join(" | ")).join("\n"))`
}
