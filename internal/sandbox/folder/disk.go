package folder

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Disk is what a folder asks of a file system. Nothing is certain to survive
// the loss of power but what was synced: a file's content by its Sync, its name
// by SyncDir of where it is.
type Disk interface {
	MkdirAll(path string) error
	// Open opens a file for reading and writing, with the flags of [os.OpenFile].
	Open(path string, flags int) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
	// Lock takes hold of the folder, until it is closed or the process ends.
	Lock(path string) (io.Closer, error)
}

// File is a file of a [Disk].
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// errInUse says that another process has the folder.
var errInUse = errors.New("another process is using it")

// System is the file system of the machine.
type System struct{}

// MkdirAll makes a folder that nobody else may look into.
func (System) MkdirAll(path string) error { return os.MkdirAll(path, 0o700) }

// Rename gives a file another name.
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove takes a file away.
func (System) Remove(path string) error { return os.Remove(path) }

// Open opens a file that nobody else may read.
func (System) Open(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// SyncDir makes sure that names are found again after the loss of power.
func (System) SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock takes hold of the folder.
func (System) Lock(path string) (io.Closer, error) { return lock(filepath.Join(path, lockFile)) }

type file struct{ *os.File }

func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
