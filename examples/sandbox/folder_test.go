package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
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
	meta := func(mark string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(metaBucket)
			if err != nil {
				return err
			}
			return b.Put(formatKey, []byte(mark))
		}
	}
	for name, c := range map[string]struct {
		write func(*bolt.Tx) error
		want  string
	}{
		"newer":   {meta("2"), "written by a newer version, in format 2; this program knows 1"},
		"older":   {meta("0"), "written by an older version, in format 0"},
		"damaged": {meta("one"), `the format mark "one" is damaged`},
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
	assert.EqualError(t, f.Load(nothing), "record 2 is missing")
	put(2, []byte(`{"Command":{"Kind":"submit","Message":"110101199001010001"`))
	err := f.Load(nothing)
	assert.EqualError(t, err, "record 2 cannot be read")
	assert.NotContains(t, err.Error(), "110101199001010001")
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
