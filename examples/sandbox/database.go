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
	"runtime/debug"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

// database is a data folder's file of the format before this one, a bbolt
// database: each record as JSON under its number, with a checksum before it. It
// is read and never written.
type database string

const (
	databaseFile   = "sandbox.db"
	databaseFormat = 2
	lockPatience   = 500 * time.Millisecond
)

var (
	metaBucket = []byte("meta")
	logBucket  = []byte("log")

	errDamaged = errors.New("the database is damaged")
)

// records hands over all records, oldest first and many at a time.
func (d database) records(add func(...sandbox.Record) error) error {
	switch whole, err := d.bothHeads(); {
	case err != nil:
		return err
	case !whole:
		return fmt.Errorf("%w, or is no database of a sandbox", errDamaged)
	}
	return intact(func() error {
		db, err := bolt.Open(string(d), 0o600, &bolt.Options{Timeout: lockPatience, ReadOnly: true})
		if err != nil {
			return opening(err)
		}
		return errors.Join(db.View(func(tx *bolt.Tx) error { return eachRecord(tx, add) }), db.Close())
	})
}

// bothHeads says whether both pages at the head of a database are whole. If
// one were not, bbolt would go on with the other, and what was kept last would
// be lost without a word.
func (d database) bothHeads() (whole bool, err error) {
	f, err := os.Open(string(d))
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
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return false, err
		}
		h := fnv.New64a()
		h.Write(page[head : head+sum])
		if h.Sum64() != binary.NativeEndian.Uint64(page[head+sum:]) {
			return false, nil
		}
	}
	return true, nil
}

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

func eachRecord(tx *bolt.Tx, add func(...sandbox.Record) error) error {
	meta, log := tx.Bucket(metaBucket), tx.Bucket(logBucket)
	if meta == nil || log == nil {
		return errors.New("this is some other program's database")
	}
	format, err := strconv.Atoi(string(meta.Get([]byte("format"))))
	if err != nil {
		return fmt.Errorf("the format mark %q is damaged", meta.Get([]byte("format")))
	}
	if err := folder.Readable(format, databaseFormat, string(meta.Get([]byte("rules"))), string(meta.Get([]byte("program")))); err != nil {
		return err
	}
	const many = 1000
	var records []sandbox.Record
	last := uint64(0)
	err = log.ForEach(func(key, value []byte) error {
		text, err := unwrap(key, value)
		if err != nil {
			return err
		}
		if last++; last != binary.BigEndian.Uint64(key) {
			return fmt.Errorf("%w: record %d is missing", errDamaged, last)
		}
		var r sandbox.Record
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("record %d cannot be read", last) // without its text: it holds ids
		}
		if records = append(records, r); len(records) < many {
			return nil
		}
		err = add(records...)
		records = records[:0]
		return err
	})
	if err == nil && len(records) > 0 {
		err = add(records...)
	}
	return err
}

// unwrap is a record without its checksum, the beginning of a SHA-256 over its
// number and its text.
func unwrap(key, value []byte) ([]byte, error) {
	const checksumLen = 8
	if len(key) == 8 && len(value) >= checksumLen {
		sum := sha256.Sum256(append(bytes.Clone(key), value[checksumLen:]...))
		if bytes.Equal(value[:checksumLen], sum[:checksumLen]) {
			return value[checksumLen:], nil
		}
	}
	// Without its text: it holds ids.
	return nil, fmt.Errorf("%w: record %x is not what was written", errDamaged, key)
}
