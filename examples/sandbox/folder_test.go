package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
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

// A folder that was made by the program of the format before this one starts,
// and everything in it is decided as it was.
func TestFolderOfTheFormatBefore(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	old := filepath.Join(path, databaseFile)
	require.NoError(t, os.WriteFile(old, formerDatabase(t), 0o600))
	for range 2 {
		box, said, err := startOn(t, path)
		require.NoError(t, err)
		assert.Empty(t, said)
		assert.NoFileExists(t, old)
		assert.FileExists(t, old+".old")
		require.NoError(t, box.CheckBooks())
		_, orders := box.Engine().NewestOrders(engine.OrderFilter{Op: "doDpTrade"}, engine.Page{})
		assert.Equal(t, 12, orders)
		accounts, _ := box.Engine().NewestAccounts(engine.AccountFilter{}, engine.Page{})
		require.Len(t, accounts, 9)
		sum := int64(0)
		for _, a := range accounts {
			b, _ := box.Balance("808801", a.Number)
			sum += b.Available
		}
		assert.EqualValues(t, 12*1000, sum)
		for _, n := range box.Notifications() {
			assert.Equal(t, notifier.Delivered, n.State, "what was delivered is not sent again")
		}
		require.NoError(t, box.Close())
	}
}

// formerDatabase was made with that program: eight clients and a borrower, a
// bid and twelve recharges.
func formerDatabase(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("testdata/format2.db.gz")
	require.NoError(t, err)
	defer f.Close()
	packed, err := gzip.NewReader(f)
	require.NoError(t, err)
	text, err := io.ReadAll(packed)
	require.NoError(t, err)
	return text
}

func TestFormerDatabaseIsDamaged(t *testing.T) {
	t.Parallel()
	whole := formerDatabase(t)
	page := 4096
	found := 0
	try := func(database []byte) {
		path := t.TempDir()
		old := filepath.Join(path, databaseFile)
		require.NoError(t, os.WriteFile(old, database, 0o600))
		box, _, err := startOn(t, path)
		if err == nil {
			_, orders := box.Engine().NewestOrders(engine.OrderFilter{Op: "doDpTrade"}, engine.Page{})
			assert.Equal(t, 12, orders)
			require.NoError(t, box.Close())
			return
		}
		found++
		assert.NotContains(t, err.Error(), "goroutine")
		assert.NotContains(t, err.Error(), "\n")
		assert.Contains(t, err.Error(), "data folder")
		assert.FileExists(t, old, "it is left as it is")
		assert.NoFileExists(t, filepath.Join(path, folder.JournalFile))
	}
	for at := 0; at < len(whole); at += page {
		try(whole[:at])
		damaged := bytes.Clone(whole)
		for i := range min(64, len(whole)-at) {
			damaged[at+i] ^= 0x5a
		}
		try(damaged)
	}
	assert.Greater(t, found, len(whole)/page/2, "most pages are in use")
	try(bytes.Replace(whole, []byte(`"pTrdAmt","Value":"10.00"`), []byte(`"pTrdAmt","Value":"90.00"`), 1))
}

func TestFormerDatabaseRefused(t *testing.T) {
	t.Parallel()
	meta := func(pairs ...string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(metaBucket)
			if err != nil {
				return err
			}
			for i := 0; i < len(pairs) && err == nil; i += 2 {
				err = b.Put([]byte(pairs[i]), []byte(pairs[i+1]))
			}
			if err == nil {
				_, err = tx.CreateBucket(logBucket)
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		write func(*bolt.Tx) error
		want  string
	}{
		"older": {meta("format", "1", "program", "v0.1.0"), "written in format 1 by version v0.1.0"},
		"other rules": {meta("format", "2", "rules", "1", "program", "v0.9.0"),
			"written under rules 1 by version v0.9.0; this program has rules " + strconv.Itoa(engine.Rules) + ": that version reads it, and its -export writes the books as JSON"},
		"damaged": {meta("format", "one"), `the format mark "one" is damaged`},
		"foreign": {func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("recipes"))
			return err
		}, "some other program's database"},
	} {
		path := t.TempDir()
		db, err := bolt.Open(filepath.Join(path, databaseFile), 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(c.write))
		require.NoError(t, db.Close())
		for range 2 { // and the lock is given back
			_, _, err = startOn(t, path)
			require.ErrorContains(t, err, c.want, name)
		}
	}
	path := t.TempDir()
	db, err := bolt.Open(filepath.Join(path, databaseFile), 0o600, nil)
	require.NoError(t, err)
	defer db.Close()
	_, _, err = startOn(t, path)
	require.ErrorContains(t, err, "another process is using it")
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
