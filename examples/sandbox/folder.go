package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/ips-p2p/ips/internal/sandbox"
)

// format numbers how the folder is laid out. Raise it whenever an older
// program would misread what this one writes, or a newer one would come to
// another result when it replays it.
const format = 1

const (
	databaseFile = "sandbox.db"
	lockPatience = 500 * time.Millisecond
)

var (
	metaBucket = []byte("meta")
	logBucket  = []byte("log")
	formatKey  = []byte("format")
)

// folder is a data folder. It keeps each record as JSON under its number, in
// one bbolt database, which syncs to the disk before a transaction is over.
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
	db, err := bolt.Open(filepath.Join(path, databaseFile), 0o600, &bolt.Options{
		Timeout: lockPatience,
		// The list of free pages is found again at the start; without it,
		// every append writes less.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("data folder %s: another process is using it", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("data folder %s: no permission", path)
	case err != nil:
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	f := &folder{db: db}
	_ = syncFolder(filepath.Dir(path)) // which may be somebody else's
	if err := errors.Join(f.prepare(), syncFolder(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, err), db.Close())
	}
	return f, nil
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
			return checkFormat(meta.Get(formatKey))
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
		return meta.Put(formatKey, []byte(strconv.Itoa(format)))
	})
}

func checkFormat(mark []byte) error {
	switch n, err := strconv.Atoi(string(mark)); {
	case err != nil:
		return fmt.Errorf("the format mark %q is damaged", mark)
	case n > format:
		return fmt.Errorf("written by a newer version, in format %d; this program knows %d", n, format)
	case n < format:
		return fmt.Errorf("written by an older version, in format %d, which this program no longer reads", n)
	}
	return nil
}

// Load hands over all records, oldest first.
func (f *folder) Load(each func(sandbox.Record) error) error {
	f.last = 0
	return f.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(logBucket).ForEach(func(key, value []byte) error {
			n := binary.BigEndian.Uint64(key)
			if n != f.last+1 {
				return fmt.Errorf("record %d is missing", f.last+1)
			}
			f.last = n
			var r sandbox.Record
			if err := json.Unmarshal(value, &r); err != nil {
				return fmt.Errorf("record %d cannot be read", n) // without its text: it holds ids
			}
			return each(r)
		})
	})
}

// Append keeps the records in one transaction.
func (f *folder) Append(records ...sandbox.Record) error {
	return f.db.Update(func(tx *bolt.Tx) error {
		log := tx.Bucket(logBucket)
		log.FillPercent = 1 // keys only ever grow
		for i := range records {
			value, err := json.Marshal(&records[i])
			if err != nil {
				return err
			}
			key := binary.BigEndian.AppendUint64(nil, f.last+1+uint64(i))
			if err := log.Put(key, value); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { f.last += uint64(len(records)) })
		return nil
	})
}

// Close lets other processes have the folder.
func (f *folder) Close() error { return f.db.Close() }
