package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

// openFolder opens a data folder, and says what it mends.
func openFolder(path string, stderr io.Writer) (*folder.Folder, error) {
	return folder.Open(path, folder.Options{
		Program: version(), Disk: disk,
		Say: func(text string) { fmt.Fprintf(stderr, "sandbox: data folder %s: %s\n", path, text) },
	})
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
