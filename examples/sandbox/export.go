package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
	"github.com/ips-p2p/ips/internal/sandbox/journal"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
)

// export writes the books of a data folder as JSON, so that they outlive the
// version that can replay it.
func export(path, file string, stderr io.Writer) (err error) {
	if _, err = os.Stat(filepath.Join(path, folder.JournalFile)); err != nil {
		return err // a name mistyped is no folder to begin
	}
	store, err := openFolder(path, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e := engine.New()
	if _, err := journal.New(store).Replay(e); err != nil {
		return err
	}
	text, err := json.MarshalIndent(struct {
		Format, Rules int
		Program       string
		operator.Books
	}{folder.Format, engine.Rules, version(), operator.Export(e)}, "", "  ")
	if err != nil {
		return err
	}
	// It tells of people, as the folder does, and what is there may be the folder's.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}
