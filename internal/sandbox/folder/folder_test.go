package folder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
	"github.com/ips-p2p/ips/internal/sandbox/notifier"
)

func open(t *testing.T, path string) *folder.Folder {
	t.Helper()
	f, err := folder.Open(path, folder.Options{Say: func(text string) { t.Errorf("said: %s", text) }})
	require.NoError(t, err)
	return f
}

// loaded is the state that was saved, "" if none was, and the records behind it.
func loaded(t *testing.T, f *folder.Folder) (state string, records []sandbox.Record) {
	t.Helper()
	require.NoError(t, f.Load(func(r io.Reader, size int64) error {
		text, err := io.ReadAll(r)
		state = string(text)
		assert.EqualValues(t, len(text), size)
		return err
	}, func(r sandbox.Record) error {
		records = append(records, r)
		return nil
	}))
	return state, records
}

func save(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestRecordsAreKeptInOrder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder")
	at := time.Date(2014, 11, 24, 4, 0, 0, 123456789, time.UTC)
	want := []sandbox.Record{
		{Command: &engine.Command{Kind: engine.KindSubmit, At: at, Merchant: "808801", Op: "doDpTrade", Message: engine.Message{
			{Name: "pMemo1", Value: "<&>\u2028\nipsj"}, {Name: "pDetails", Rows: []engine.Message{{{Name: "a", Value: "b"}}}},
		}}},
		{Advance: 90 * time.Minute},
		{Delivery: &notifier.Change{Seq: 7, State: notifier.Delivered, Attempt: &sandbox.Attempt{At: at, Took: time.Second, Status: 200}}},
	}
	f := open(t, path)
	_, none := loaded(t, f)
	assert.Empty(t, none)
	require.NoError(t, f.Append(want[:2]...))
	require.NoError(t, f.Append(want[2]))
	require.NoError(t, f.Close())
	for range 2 { // reading changes nothing
		f = open(t, path)
		_, got := loaded(t, f)
		assert.Equal(t, want, got)
		require.NoError(t, f.Close())
	}
	f = open(t, path)
	loaded(t, f)
	require.NoError(t, f.Append(sandbox.Record{Advance: 1}))
	_, got := loaded(t, f)
	assert.Len(t, got, 4)
	require.NoError(t, f.Close())

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(path, folder.JournalFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.Less(t, info.Size(), int64(2000), "what was kept free for more is given back")
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	f := open(t, path)
	_, err := folder.Open(path, folder.Options{})
	require.EqualError(t, err, "data folder "+path+": another process is using it")
	require.NoError(t, f.Close())
	require.NoError(t, open(t, path).Close())
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	f := open(t, path)
	loaded(t, f)
	require.NoError(t, f.Append(sandbox.Record{Advance: 1}, sandbox.Record{Advance: 2}))
	require.NoError(t, f.Save(save("one")))
	require.NoError(t, f.Append(sandbox.Record{Advance: 3}))
	require.NoError(t, f.Save(save("two")))
	require.NoError(t, f.Append(sandbox.Record{Advance: 4}))
	require.EqualError(t, f.Save(func(io.Writer) error { return errors.New("enough") }), "enough")
	require.NoError(t, f.Close())
	snapshot := filepath.Join(path, folder.SnapshotFile)
	whole, err := os.ReadFile(snapshot)
	require.NoError(t, err)

	f = open(t, path)
	state, records := loaded(t, f)
	assert.Equal(t, "two", state)
	assert.Equal(t, []sandbox.Record{{Advance: 4}}, records)
	require.NoError(t, f.Close())

	all := []sandbox.Record{{Advance: 1}, {Advance: 2}, {Advance: 3}, {Advance: 4}}
	for name, c := range map[string]struct {
		snapshot []byte
		said     string
	}{
		"missing":     {nil, ""},
		"empty":       {[]byte{}, "its head is damaged"},
		"cut":         {whole[:len(whole)-1], "it is not as long as it was"},
		"longer":      {append(bytes.Clone(whole), 0), "it is not as long as it was"},
		"a bit":       {append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1), "its checksum does not hold"},
		"of its head": {append([]byte{whole[0] ^ 1}, whole[1:]...), "its head is damaged"},
	} {
		require.NoError(t, os.RemoveAll(snapshot))
		if c.snapshot != nil {
			require.NoError(t, os.WriteFile(snapshot, c.snapshot, 0o600))
		}
		said := ""
		f, err := folder.Open(path, folder.Options{Say: func(text string) { said += text }})
		require.NoError(t, err, name)
		state, records := loaded(t, f)
		assert.Empty(t, state, name)
		assert.Equal(t, all, records, name)
		require.NoError(t, f.Close())
		if c.said == "" {
			assert.Empty(t, said, name)
		} else {
			assert.Equal(t, "the snapshot is passed over, and the journal worked through from its beginning: "+c.said, said)
		}
	}

	t.Run("refused by its reader", func(t *testing.T) {
		require.NoError(t, os.WriteFile(snapshot, whole, 0o600))
		said := ""
		f, err := folder.Open(path, folder.Options{Say: func(text string) { said += text }})
		require.NoError(t, err)
		n := 0
		require.NoError(t, f.Load(func(io.Reader, int64) error { return errors.New("of another version") },
			func(sandbox.Record) error { n++; return nil }))
		assert.Equal(t, 4, n)
		assert.Contains(t, said, "of another version")
		require.NoError(t, f.Close())
	})
	t.Run("of another journal", func(t *testing.T) {
		other := t.TempDir()
		f := open(t, other)
		loaded(t, f)
		require.NoError(t, f.Append(all...))
		require.NoError(t, f.Close())
		require.NoError(t, os.WriteFile(filepath.Join(other, folder.SnapshotFile), whole, 0o600))
		said := ""
		f, err := folder.Open(other, folder.Options{Say: func(text string) { said += text }})
		require.NoError(t, err)
		state, records := loaded(t, f)
		assert.Empty(t, state)
		assert.Len(t, records, 4)
		assert.Contains(t, said, "it is of another journal")
		require.NoError(t, f.Close())
	})
	t.Run("a journal that lost what the snapshot knows", func(t *testing.T) {
		require.NoError(t, os.WriteFile(snapshot, whole, 0o600))
		journal := filepath.Join(path, folder.JournalFile)
		text, err := os.ReadFile(journal)
		require.NoError(t, err)
		at := bytes.Index(text, []byte(`{"Advance":3}`))
		require.NoError(t, os.WriteFile(journal, text[:at-24], 0o600))
		f := open(t, path)
		assert.EqualError(t, f.Load(func(io.Reader, int64) error { return nil }, nil),
			"the journal is damaged: the snapshot knows of 3 records, and the journal does not hold them all")
		require.NoError(t, f.Close())
	})
}

// Wherever a journal is cut off, it is read up to there. Whatever is changed in
// it is found, but in the last frame: one that was never written to its end
// looks the same.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	f := open(t, path)
	loaded(t, f)
	for i := range 5 {
		require.NoError(t, f.Append(sandbox.Record{Advance: time.Duration(1000 + i)}))
	}
	require.NoError(t, f.Close())
	journal := filepath.Join(path, folder.JournalFile)
	whole, err := os.ReadFile(journal)
	require.NoError(t, err)
	begin := bytes.IndexByte(whole[24:], '}') + 25
	last := bytes.Index(whole, []byte(`{"Advance":1004}`)) - 24
	read := func(text []byte) (n int, said string, err error) {
		require.NoError(t, os.WriteFile(journal, text, 0o600))
		f, err := folder.Open(path, folder.Options{Say: func(text string) { said += text }})
		if err != nil {
			return 0, said, err
		}
		defer f.Close()
		err = f.Load(func(io.Reader, int64) error { return nil }, func(sandbox.Record) error { n++; return nil })
		return n, said, err
	}
	for at := range len(whole) {
		n, said, err := read(whole[:at])
		if at < begin {
			require.ErrorContains(t, err, "the journal is damaged, or is no sandbox's")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, bytes.Count(whole[:at], []byte("}\n")), n)
		require.Equal(t, whole[at-1] != '\n' && at > begin, strings.Contains(said, "was cut off"), "%d %q", at, said)
		again, said, err := read(mustRead(t, journal))
		require.NoError(t, err)
		require.Equal(t, n, again)
		require.Empty(t, said, "it is cut off once")
	}
	for at := range len(whole) {
		changed := bytes.Clone(whole)
		changed[at] ^= 0x20
		n, said, err := read(changed)
		if at >= last {
			require.NoError(t, err)
			require.Equal(t, 4, n)
			require.Contains(t, said, "was cut off")
			continue
		}
		require.ErrorContains(t, err, "the journal is damaged")
		require.Empty(t, said)
		require.Equal(t, changed, mustRead(t, journal), "what is damaged is left alone")
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

func TestOtherFormats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ beginning, want string }{
		"newer": {`{"Format":4,"Rules":1,"Program":"v9.9.9"}`, "written in format 4 by version v9.9.9; this program knows format 3: that version reads it"},
		"other rules": {`{"Format":3,"Rules":1,"Program":"v0.9.0"}`, fmt.Sprintf(
			"written under rules 1 by version v0.9.0; this program has rules %d: that version reads it, and its -export writes the books as JSON", engine.Rules)},
		"no beginning": {`a shopping list`, "the journal is damaged, or is no sandbox's: it does not begin as one"},
	} {
		path := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(path, folder.JournalFile), folder.Frame(0, []byte(c.beginning)), 0o600))
		for range 2 { // and the lock is given back
			_, err := folder.Open(path, folder.Options{})
			require.ErrorContains(t, err, "data folder "+path+": "+c.want, name)
		}
	}
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, folder.JournalFile), []byte("a shopping list, and much more than that"), 0o600))
	_, err := folder.Open(path, folder.Options{})
	require.ErrorContains(t, err, "is no sandbox's")
	file := filepath.Join(path, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = folder.Open(file, folder.Options{})
	require.ErrorContains(t, err, "data folder")
}

func TestRecordThatCannotBeRead(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	require.NoError(t, open(t, path).Close())
	journal := filepath.Join(path, folder.JournalFile)
	text := append(mustRead(t, journal), folder.Frame(1, []byte(`{"Command":{"Kind":"submit","Message":"110101199001010001"`+"\n"))...)
	require.NoError(t, os.WriteFile(journal, text, 0o600))
	f := open(t, path)
	assert.EqualError(t, f.Load(func(io.Reader, int64) error { return nil }, nil), "record 1 cannot be read")
	require.NoError(t, f.Close())
}

func TestRecordsAreSmall(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(sandbox.Record{Advance: time.Second})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Advance":1000000000}`, string(text), "empty fields are left out")
}

// FuzzJournal may find a journal that can be read, and nothing that does worse
// than an error.
func FuzzJournal(f *testing.F) {
	path := f.TempDir()
	store, err := folder.Open(path, folder.Options{})
	require.NoError(f, err)
	require.NoError(f, store.Append(sandbox.Record{Advance: 1}))
	require.NoError(f, store.Append(sandbox.Record{Advance: 2}, sandbox.Record{Advance: 3}))
	require.NoError(f, store.Save(save("state")))
	require.NoError(f, store.Close())
	journal, err := os.ReadFile(filepath.Join(path, folder.JournalFile))
	require.NoError(f, err)
	snapshot, err := os.ReadFile(filepath.Join(path, folder.SnapshotFile))
	require.NoError(f, err)
	f.Add(journal, snapshot)
	f.Add(journal[:len(journal)-9], []byte{})
	f.Fuzz(func(t *testing.T, journal, snapshot []byte) {
		d := newDisk(nil)
		d.names["/data/box/journal"] = &inode{data: bytes.Clone(journal)}
		d.names["/data/box/snapshot"] = &inode{data: bytes.Clone(snapshot)}
		read := func() (n int, err error) {
			store, err := folder.Open("/data/box", folder.Options{Disk: d})
			if err != nil {
				return 0, err
			}
			defer store.Close()
			return n, store.Load(func(io.Reader, int64) error { return nil }, func(sandbox.Record) error { n++; return nil })
		}
		n, err := read()
		if err != nil {
			return
		}
		again, err := read()
		require.NoError(t, err)
		require.Equal(t, n, again, "what was read once is read again")
	})
}
