package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

// openFolder opens a data folder, and says what it mends. A folder of the
// format before this one is taken over: its database is read and then put aside.
func openFolder(path string, stderr io.Writer) (*folder.Folder, error) {
	o := folder.Options{
		Program: version(), Disk: disk,
		Say: func(text string) { fmt.Fprintf(stderr, "sandbox: data folder %s: %s\n", path, text) },
	}
	old := filepath.Join(path, databaseFile)
	_, err := os.Stat(old)
	if there := err == nil; there {
		o.Import = database(old).records
	}
	f, err := folder.Open(path, o)
	if err != nil {
		return nil, err
	}
	// The journal has its name: what it was made of has had its day.
	if err := os.Rename(old, old+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, err), f.Close())
	}
	return f, nil
}

// disk is where data folders are; nil is the machine's. Tests kill the program
// in the midst of it.
var disk folder.Disk

// version is that of this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return setting.Value
		}
	}
	return info.Main.Version
}
