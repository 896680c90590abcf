package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
)

// startOn does what the program does with a folder: its error is what it says.
func startOn(t *testing.T, path string) (*sandbox.Sandbox, string, error) {
	t.Helper()
	o, err := readOptions([]string{"-data", path}, noEnvironment, io.Discard)
	require.NoError(t, err)
	var said bytes.Buffer
	box, err := o.open(&said)
	return box, said.String(), err
}

// lived makes a folder in which much happened.
func lived(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	box, said, err := startOn(t, path)
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, box.Deposit("808801", "", int64(1000000+i)))
	}
	require.NoError(t, box.Close())
	assert.Empty(t, said)
	return path
}

const livedBalance = 300*1000000 + 299*300/2

// Wherever the files of a folder that was left in order are cut off or
// overwritten, the program says so in a sentence or has lost nothing.
func TestFolderIsDamaged(t *testing.T) {
	t.Parallel()
	from := lived(t)
	files := map[string][]byte{}
	for _, name := range []string{folder.JournalFile, folder.SnapshotFile} {
		text, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		files[name] = text
	}
	refused := 0
	try := func(name string, damaged []byte) {
		path := t.TempDir()
		for other, text := range files {
			if other == name {
				text = damaged
			}
			require.NoError(t, os.WriteFile(filepath.Join(path, other), text, 0o600))
		}
		box, said, err := startOn(t, path)
		if err != nil {
			refused++
			assert.NotContains(t, err.Error(), "\n")
			assert.Contains(t, err.Error(), "damaged")
			return
		}
		b, ok := box.Balance("808801", "808801")
		assert.True(t, ok)
		assert.EqualValues(t, livedBalance, b.Available, "it starts with all that was kept, or not at all")
		assert.NoError(t, box.Close())
		if name == folder.SnapshotFile {
			assert.Contains(t, said, "the snapshot is passed over")
		}
	}
	for name, whole := range files {
		step := len(whole)/23 + 1
		for at := 0; at < len(whole); at += step {
			try(name, whole[:at])
			damaged := bytes.Clone(whole)
			for i := range min(64, len(whole)-at) {
				damaged[at+i] ^= 0x5a
			}
			try(name, damaged)
		}
	}
	assert.GreaterOrEqual(t, refused, 23, "each journal that was cut off")

	// Without the snapshot a single digit that was changed is found.
	delete(files, folder.SnapshotFile)
	refused = 0
	whole := files[folder.JournalFile]
	damaged := bytes.Replace(whole, []byte(`"Amount":1000123`), []byte(`"Amount":9000123`), -1)
	require.NotEqual(t, whole, damaged)
	try(folder.JournalFile, damaged)
	assert.Equal(t, 1, refused)
	try(folder.JournalFile, whole)
	assert.Equal(t, 1, refused)
}

func TestExport(t *testing.T) {
	t.Parallel()
	path := lived(t)
	file := filepath.Join(t.TempDir(), "books.json")
	require.NoError(t, run(t.Context(), []string{"-data", path, "-export", file}, noEnvironment, io.Discard, io.Discard))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var b struct {
		Rules int
		operator.Books
	}
	require.NoError(t, json.Unmarshal(text, &b))
	assert.Equal(t, engine.Rules, b.Rules)
	require.Len(t, b.Merchants, 1)
	assert.EqualValues(t, livedBalance, b.Merchants[0].Balance.Available)
	require.Len(t, b.Entries, 300)
	assert.EqualValues(t, 1, b.Entries[0].Seq)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	// What is there stays, be it the journal itself; what is not there does not come.
	for _, there := range []string{file, filepath.Join(path, folder.JournalFile)} {
		before, err := os.ReadFile(there)
		require.NoError(t, err)
		require.ErrorIs(t, run(t.Context(), []string{"-data", path, "-export", there}, noEnvironment, io.Discard, io.Discard), fs.ErrExist)
		after, err := os.ReadFile(there)
		require.NoError(t, err)
		assert.Len(t, after, len(before), there)
	}
	missing := filepath.Join(t.TempDir(), "mistyped")
	err = run(t.Context(), []string{"-data", missing, "-export", file + "2"}, noEnvironment, io.Discard, io.Discard)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.NoDirExists(t, missing)
	err = run(t.Context(), []string{"-export", file}, noEnvironment, io.Discard, io.Discard)
	assert.ErrorIs(t, err, errUsage)
}
