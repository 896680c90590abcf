//go:build !windows && (!unix || solaris || illumos || aix)

package folder

import (
	"io"
	"os"
)

// lock holds nothing where there is no way to do it that ends with the process.
func lock(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
