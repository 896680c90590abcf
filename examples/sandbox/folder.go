package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// format numbers how the folder is laid out. Raise it whenever an older
// program would misread what this one writes. That a program would come to
// another result when it replays the log is the affair of [engine.Rules].
const format = 2

const (
	databaseFile = "sandbox.db"
	lockPatience = 500 * time.Millisecond
)

var (
	metaBucket = []byte("meta")
	logBucket  = []byte("log")
	formatKey  = []byte("format")
	rulesKey   = []byte("rules")
	programKey = []byte("program") // the version that began the folder
)

// folder is a data folder. It keeps each record as JSON under its number, with
// a checksum before it, in one bbolt database, which syncs to the disk before a
// transaction is over.
type folder struct {
	db   *bolt.DB
	last uint64 // number of the last record
}

// openFolder opens a data folder, which it creates if need be. Only one
// process at a time can have it.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	file := filepath.Join(path, databaseFile)
	if err := inspect(file); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	var db *bolt.DB
	err := intact(func() (err error) {
		db, err = openDatabase(file)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	f := &folder{db: db}
	_ = syncFolder(filepath.Dir(path)) // which may be somebody else's
	if err := errors.Join(f.prepare(), syncFolder(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, err), db.Close())
	}
	return f, nil
}

// inspect looks at every page that a database uses, so that damage is found
// before the database sets to work on it in goroutines of its own.
func inspect(file string) error {
	switch whole, err := bothHeads(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		return errors.New("no permission")
	case err != nil:
		return err
	case !whole:
		return fmt.Errorf("%w, or is no database of a sandbox", errDamaged)
	}
	return intact(func() error {
		db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
		if err != nil {
			return opening(err)
		}
		return errors.Join(db.View(func(tx *bolt.Tx) error {
			return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
				return b.ForEach(func(key, value []byte) error {
					if string(name) == string(logBucket) && string(tx.Bucket(metaBucket).Get(formatKey)) == strconv.Itoa(format) {
						_, err := unwrap(key, value)
						return err
					}
					return nil
				})
			})
		}), db.Close())
	})
}

// bothHeads says whether both pages at the head of a database are whole. If
// one were not, bbolt would go on with the other, and what was kept last would
// be lost without a word.
func bothHeads(file string) (whole bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	// Behind the page's own head of 16 bytes: magic, version, page size, flags,
	// root, free list, number of pages, transaction, and the checksum of these.
	const head, sum = 16, 56
	var page [head + sum + 8]byte
	for _, at := range []int64{0, 1} {
		pageSize := int64(binary.NativeEndian.Uint32(page[head+8:]))
		if n, err := f.ReadAt(page[:], at*pageSize); n < len(page) {
			return false, ignore(err, io.EOF)
		}
		h := fnv.New64a()
		h.Write(page[head : head+sum])
		if h.Sum64() != binary.NativeEndian.Uint64(page[head+sum:]) {
			return false, nil
		}
	}
	return true, nil
}

// ignore is err unless it is the one that does not matter.
func ignore(err, which error) error {
	if errors.Is(err, which) {
		return nil
	}
	return err
}

var errDamaged = errors.New("the database is damaged")

// intact makes an error of what a database that is not whole does to whoever
// reads it: it panics, or its pages are not there.
func intact(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errDamaged // whose innards tell nobody anything
		}
	}()
	return read()
}

// opening says why a database cannot be opened.
func opening(err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return errors.New("another process is using it")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("no permission")
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w, or is no database of a sandbox", errDamaged)
	}
	return err
}

func openDatabase(file string) (*bolt.DB, error) {
	db, err := bolt.Open(file, 0o600, &bolt.Options{
		Timeout: lockPatience,
		// The list of free pages is found again at the start; without it,
		// every append writes less.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	})
	if err != nil {
		return nil, opening(err)
	}
	return db, nil
}

// syncFolder makes sure that a file that was just made is found again after the
// loss of power.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// prepare checks the format, and marks a folder that is new.
func (f *folder) prepare() error {
	return f.db.Update(func(tx *bolt.Tx) error {
		if meta := tx.Bucket(metaBucket); meta != nil {
			return checkMeta(meta)
		}
		if name, _ := tx.Cursor().First(); name != nil {
			return errors.New("this is some other program's database")
		}
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(logBucket); err != nil {
			return err
		}
		return errors.Join(
			meta.Put(formatKey, []byte(strconv.Itoa(format))),
			meta.Put(rulesKey, []byte(strconv.Itoa(engine.Rules))),
			meta.Put(programKey, []byte(version())),
		)
	})
}

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

// checkMeta refuses a folder that this program would read otherwise than the
// one that wrote it.
func checkMeta(meta *bolt.Bucket) error {
	const way = "that version reads it, and its -export writes the books as JSON"
	n, err := strconv.Atoi(string(meta.Get(formatKey)))
	if err != nil {
		return fmt.Errorf("the format mark %q is damaged", meta.Get(formatKey))
	}
	program := meta.Get(programKey)
	if program == nil {
		program = []byte("an earlier one, which left no name")
	}
	if n != format {
		return fmt.Errorf("written in format %d by version %s; this program knows format %d: %s", n, program, format, way)
	}
	if rules := string(meta.Get(rulesKey)); rules != strconv.Itoa(engine.Rules) {
		return fmt.Errorf("written under rules %s by version %s; this program has rules %d: %s", rules, program, engine.Rules, way)
	}
	return nil
}

// checksumLen is how much of a SHA-256 stands before a record.
const checksumLen = 8

// checksum is that of a record under its number.
func checksum(key, text []byte) []byte {
	h := sha256.New()
	h.Write(key)
	h.Write(text)
	return h.Sum(nil)[:checksumLen]
}

// unwrap is a record without its checksum, which must hold.
func unwrap(key, value []byte) ([]byte, error) {
	if len(key) != 8 || len(value) < checksumLen || !bytes.Equal(value[:checksumLen], checksum(key, value[checksumLen:])) {
		// Without its text: it holds ids.
		return nil, fmt.Errorf("%w: record %x is not what was written", errDamaged, key)
	}
	return value[checksumLen:], nil
}

// Load hands over all records, oldest first.
func (f *folder) Load(each func(sandbox.Record) error) error {
	f.last = 0
	return intact(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			return tx.Bucket(logBucket).ForEach(func(key, value []byte) error {
				text, err := unwrap(key, value)
				if err != nil {
					return err
				}
				n := binary.BigEndian.Uint64(key)
				if n != f.last+1 {
					return fmt.Errorf("%w: record %d is missing", errDamaged, f.last+1)
				}
				f.last = n
				var r sandbox.Record
				if err := json.Unmarshal(text, &r); err != nil {
					return fmt.Errorf("record %d cannot be read", n) // without its text: it holds ids
				}
				return each(r)
			})
		})
	})
}

// Append keeps the records in one transaction.
func (f *folder) Append(records ...sandbox.Record) error {
	return f.db.Update(func(tx *bolt.Tx) error {
		log := tx.Bucket(logBucket)
		log.FillPercent = 1 // keys only ever grow
		for i := range records {
			text, err := json.Marshal(&records[i])
			if err != nil {
				return err
			}
			key := binary.BigEndian.AppendUint64(nil, f.last+1+uint64(i))
			if err := log.Put(key, append(checksum(key, text), text...)); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { f.last += uint64(len(records)) })
		return nil
	})
}

// Close lets other processes have the folder.
func (f *folder) Close() error { return f.db.Close() }
