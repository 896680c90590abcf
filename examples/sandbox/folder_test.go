package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
	"github.com/ips-p2p/ips/internal/sandbox/operator"
)

func openTestFolder(t *testing.T, path string) *folder {
	t.Helper()
	f, err := openFolder(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func loaded(t *testing.T, f *folder) []sandbox.Record {
	t.Helper()
	var list []sandbox.Record
	require.NoError(t, f.Load(func(r sandbox.Record) error {
		list = append(list, r)
		return nil
	}))
	return list
}

func TestFolderKeepsRecordsInOrder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder")
	at := time.Date(2014, 11, 24, 4, 0, 0, 123456789, time.UTC)
	want := []sandbox.Record{
		{Command: &engine.Command{Kind: engine.KindSubmit, At: at, Merchant: "808801", Op: "doDpTrade", Message: engine.Message{
			{Name: "pMemo1", Value: "<&>\u2028"}, {Name: "pDetails", Rows: []engine.Message{{{Name: "a", Value: "b"}}}},
		}}},
		{Advance: 90 * time.Minute},
		{Delivery: &notifier.Change{Seq: 7, State: notifier.Delivered, Attempt: &sandbox.Attempt{At: at, Took: time.Second, Status: 200}}},
	}
	f, err := openFolder(path)
	require.NoError(t, err)
	require.NoError(t, f.Append(want[:2]...))
	require.NoError(t, f.Append(want[2]))
	require.NoError(t, f.Close())
	for range 2 { // reading changes nothing
		f, err = openFolder(path)
		require.NoError(t, err)
		assert.Equal(t, want, loaded(t, f))
		require.NoError(t, f.Close())
	}
	f = openTestFolder(t, path)
	loaded(t, f)
	require.NoError(t, f.Append(sandbox.Record{Advance: 1}))
	assert.Len(t, loaded(t, f), 4)

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(path, databaseFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestFolderIsForOneProcess(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	openTestFolder(t, path)
	_, err := openFolder(path)
	assert.EqualError(t, err, "data folder "+path+": another process is using it")
}

func TestFolderRefused(t *testing.T) {
	t.Parallel()
	meta := func(pairs ...string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(metaBucket)
			for i := 0; i < len(pairs) && err == nil; i += 2 {
				err = b.Put([]byte(pairs[i]), []byte(pairs[i+1]))
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		write func(*bolt.Tx) error
		want  string
	}{
		"newer": {meta("format", "3", "program", "v9.9.9"), "written in format 3 by version v9.9.9; this program knows format 2: that version reads it"},
		"older": {meta("format", "1"), "written in format 1 by version an earlier one"},
		"other rules": {meta("format", "2", "rules", "1", "program", "v0.9.0"),
			"written under rules 1 by version v0.9.0; this program has rules " + strconv.Itoa(engine.Rules) + ": that version reads it, and its -export writes the books as JSON"},
		"damaged": {meta("format", "one"), `the format mark "one" is damaged`},
		"foreign": {func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("recipes"))
			return err
		}, "some other program's database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			db, err := bolt.Open(filepath.Join(path, databaseFile), 0o600, nil)
			require.NoError(t, err)
			require.NoError(t, db.Update(c.write))
			require.NoError(t, db.Close())
			_, err = openFolder(path)
			require.ErrorContains(t, err, c.want)
			_, err = openFolder(path)
			require.ErrorContains(t, err, c.want, "and the lock is given back")
		})
	}
}

func TestFolderThatIsNoDatabase(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, databaseFile), []byte("a shopping list, and much more than that"), 0o600))
	_, err := openFolder(path)
	assert.ErrorContains(t, err, "data folder "+path)
	file := filepath.Join(path, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = openFolder(file)
	assert.ErrorContains(t, err, "data folder")
}

func TestFolderWithAHole(t *testing.T) {
	t.Parallel()
	f := openTestFolder(t, t.TempDir())
	require.NoError(t, f.Append(sandbox.Record{Advance: 1}, sandbox.Record{Advance: 2}, sandbox.Record{Advance: 3}))
	nothing := func(sandbox.Record) error { return nil }
	assert.EqualError(t, f.Load(func(sandbox.Record) error { return errors.New("enough") }), "enough")

	put := func(key byte, value []byte) {
		require.NoError(t, f.db.Update(func(tx *bolt.Tx) error {
			k := []byte{0, 0, 0, 0, 0, 0, 0, key}
			if value == nil {
				return tx.Bucket(logBucket).Delete(k)
			}
			return tx.Bucket(logBucket).Put(k, value)
		}))
	}
	put(2, nil)
	assert.EqualError(t, f.Load(nothing), "the database is damaged: record 2 is missing")
	put(2, []byte(`12345678{"Command":{"Kind":"submit","Message":"110101199001010001"`))
	err := f.Load(nothing)
	assert.EqualError(t, err, "the database is damaged: record 0000000000000002 is not what was written")
	assert.NotContains(t, err.Error(), "110101199001010001")
}

// full is the database of a folder in which much happened.
func full(t *testing.T) []byte {
	t.Helper()
	path := t.TempDir()
	store, err := openFolder(path)
	require.NoError(t, err)
	box, err := sandbox.New(sandbox.Config{Store: store})
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, box.Deposit("808801", "", int64(1000000+i)))
	}
	require.NoError(t, box.Close())
	database, err := os.ReadFile(filepath.Join(path, databaseFile))
	require.NoError(t, err)
	return database
}

// startOn does what the program does with a folder: its error is what it says.
func startOn(t *testing.T, database []byte) error {
	t.Helper()
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, databaseFile), database, 0o600))
	o, err := readOptions([]string{"-data", path}, noEnvironment, io.Discard)
	require.NoError(t, err)
	box, err := o.open(io.Discard)
	if err != nil {
		return err
	}
	defer box.Close()
	b, ok := box.Balance("808801", "808801")
	assert.True(t, ok)
	assert.EqualValues(t, 300*1000000+299*300/2, b.Available, "it starts with all that was kept, or not at all")
	return nil
}

// Wherever a database is cut off or overwritten, the program says so in a
// sentence or has lost nothing.
func TestFolderIsDamaged(t *testing.T) {
	t.Parallel()
	whole := full(t)
	require.NoError(t, startOn(t, whole))
	refused := func(t *testing.T, err error) {
		t.Helper()
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "goroutine")
		assert.NotContains(t, err.Error(), "\n")
		assert.Contains(t, err.Error(), "data folder")
		assert.Contains(t, err.Error(), "damaged")
	}
	t.Run("a changed digit", func(t *testing.T) {
		t.Parallel()
		damaged := bytes.Replace(whole, []byte(`"Amount":1000123`), []byte(`"Amount":9000123`), -1)
		require.NotEqual(t, whole, damaged)
		refused(t, startOn(t, damaged))
	})
	page := os.Getpagesize()
	found := 0
	for at := 0; at < len(whole); at += page {
		if err := startOn(t, whole[:at]); err != nil {
			refused(t, err)
			found++
		}
		damaged := bytes.Clone(whole)
		for i := range min(64, len(whole)-at) {
			damaged[at+i] ^= 0x5a
		}
		if err := startOn(t, damaged); err != nil {
			refused(t, err)
			found++
		}
	}
	assert.Greater(t, found, len(whole)/page/2, "most pages are in use")
}

func TestExport(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, databaseFile), full(t), 0o600))
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
	assert.EqualValues(t, 300*1000000+299*300/2, b.Merchants[0].Balance.Available)
	require.Len(t, b.Entries, 300)
	assert.EqualValues(t, 1, b.Entries[0].Seq)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	// What is there stays, be it the database itself; what is not there does not come.
	for _, there := range []string{file, filepath.Join(path, databaseFile)} {
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

// What is acknowledged must have been synced, not only written.
func TestFolderSyncs(t *testing.T) {
	t.Parallel()
	f := openTestFolder(t, t.TempDir())
	assert.False(t, f.db.NoSync)
	assert.False(t, f.db.NoGrowSync)
}

func TestRecordsAreSmall(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(sandbox.Record{Advance: time.Second})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Advance":1000000000}`, string(text), "empty fields are left out")
}
