package folder_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

// errPower is what every call meets once the power is off.
var errPower = errors.New("the power is off")

// simulated is a disk that forgets what was not synced: when its power fails,
// each write since a file's last sync is there, or not, or in sectors of which
// some are there and some are not; and each name made, changed or removed since
// its folder's last sync is so or is not. Nothing holds but what [folder.Disk]
// promises.
type simulated struct {
	mu     sync.Mutex
	rand   *rand.Rand
	names  map[string]*inode
	kept   map[string]*inode // as of the last sync
	since  []renaming        // since then
	calls  int
	failAt int   // the call in the midst of which the power fails, 0 for never
	room   int64 // bytes that files may still grow by, -1 for any number
	off    bool
}

// renaming changes names at once: from goes, if there is one, and to comes.
type renaming struct {
	dir, from, to string
	inode         *inode
}

type inode struct {
	data  []byte
	kept  []byte
	since []change
}

// change is a write, or a new size where there is no text.
type change struct {
	at   int64
	text []byte
}

func newDisk(r *rand.Rand) *simulated {
	return &simulated{rand: r, names: make(map[string]*inode), kept: make(map[string]*inode), room: -1}
}

// call counts a call, and says whether the power is there for it, and whether
// it fails in its midst.
func (d *simulated) call() (fails bool, err error) {
	if d.off {
		return false, errPower
	}
	d.calls++
	if d.calls == d.failAt {
		d.off = true
		return true, errPower
	}
	return false, nil
}

// restore is the disk when power is back.
func (d *simulated) restore() *simulated {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	after := newDisk(d.rand)
	names := make(map[string]*inode)
	for name, n := range d.kept {
		names[name] = n
	}
	for _, r := range d.since {
		if d.rand.IntN(2) == 0 {
			r.apply(names)
		}
	}
	for name, n := range names {
		data := n.afterwards(d.rand)
		after.names[name] = &inode{data: data, kept: append([]byte(nil), data...)}
		after.kept[name] = after.names[name]
	}
	return after
}

func (r renaming) apply(names map[string]*inode) {
	if r.from != "" {
		delete(names, r.from)
	}
	if r.to != "" {
		names[r.to] = r.inode
	}
}

const sector = 512

func (n *inode) afterwards(r *rand.Rand) []byte {
	data := append([]byte(nil), n.kept...)
	for _, c := range n.since {
		switch r.IntN(3) {
		case 0:
		case 1:
			data = c.apply(data)
		default:
			if c.text == nil {
				continue // a size is changed or is not
			}
			for at := 0; at < len(c.text); {
				next := min(len(c.text), at+sector-int((c.at+int64(at))%sector))
				if r.IntN(2) == 0 {
					data = change{c.at + int64(at), c.text[at:next]}.apply(data)
				}
				at = next
			}
		}
	}
	return data
}

func (c change) apply(data []byte) []byte {
	if c.text == nil {
		return resized(data, c.at)
	}
	if end := c.at + int64(len(c.text)); end > int64(len(data)) {
		data = resized(data, end)
	}
	copy(data[c.at:], c.text)
	return data
}

func resized(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		clear(data[size:])
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

func (d *simulated) MkdirAll(string) error { return nil }

func (d *simulated) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (d *simulated) Open(path string, flags int) (folder.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.call(); err != nil {
		return nil, err
	}
	n := d.names[path]
	switch {
	case n == nil && flags&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		n = &inode{}
		d.rename("", path, n)
	case flags&os.O_TRUNC != 0:
		n.change(change{})
	}
	return &opened{d, n}, nil
}

func (d *simulated) rename(from, to string, n *inode) {
	dir := filepath.Dir(from + to)
	if to != "" {
		dir = filepath.Dir(to)
	}
	r := renaming{dir, from, to, n}
	d.since = append(d.since, r)
	r.apply(d.names)
}

func (d *simulated) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fails, err := d.call()
	if err != nil && !fails {
		return err
	}
	n := d.names[from]
	if n == nil {
		return fs.ErrNotExist
	}
	d.rename(from, to, n)
	return err
}

func (d *simulated) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fails, err := d.call()
	if err != nil && !fails {
		return err
	}
	if d.names[path] == nil {
		return fs.ErrNotExist
	}
	d.rename(path, "", nil)
	return err
}

func (d *simulated) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.call(); err != nil {
		return err
	}
	var others []renaming
	for _, r := range d.since {
		if r.dir == path {
			r.apply(d.kept)
		} else {
			others = append(others, r)
		}
	}
	d.since = others
	return nil
}

func (n *inode) change(c change) {
	n.since = append(n.since, c)
	n.data = c.apply(n.data)
}

// opened is a file of a simulated disk.
type opened struct {
	disk *simulated
	*inode
}

func (f *opened) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return 0, errPower
	}
	n := 0
	if at < int64(len(f.data)) {
		n = copy(b, f.data[at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *opened) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	fails, err := f.disk.call()
	if err != nil && !fails {
		return 0, err
	}
	b = append([]byte{}, b...)
	if grows := at + int64(len(b)) - int64(len(f.data)); f.disk.room >= 0 && grows > 0 {
		if grows > f.disk.room {
			fits := max(int64(len(b))-grows+f.disk.room, 0)
			b, err = b[:fits], fmt.Errorf("write: %w", syscall.ENOSPC)
			grows = max(at+fits-int64(len(f.data)), 0)
		}
		f.disk.room -= min(grows, f.disk.room)
	}
	if len(b) == 0 {
		return 0, err
	}
	f.change(change{at, b})
	return len(b), err
}

func (f *opened) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *opened) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	fails, err := f.disk.call()
	if err != nil && !fails {
		return err
	}
	if f.disk.room >= 0 {
		f.disk.room += int64(len(f.data)) - size
	}
	f.change(change{at: size})
	return err
}

func (f *opened) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	fails, err := f.disk.call()
	if err != nil && (!fails || f.disk.rand.IntN(2) == 0) {
		return err
	}
	for _, c := range f.since {
		f.kept = c.apply(f.kept)
	}
	f.since = nil
	return err
}

func (f *opened) Close() error { return nil }
