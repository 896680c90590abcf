package folder_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

// faulty is a disk of which one call fails, having done half of its work or none
// of it, and which goes on.
type faulty struct {
	*simulated
	at, n int
}

func (d *faulty) fails() error {
	if d.n++; d.n == d.at {
		return syscall.EIO
	}
	return nil
}

func (d *faulty) Open(path string, flags int) (folder.File, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	f, err := d.simulated.Open(path, flags)
	return &faultyFile{f, d}, err
}

func (d *faulty) Rename(from, to string) error {
	return errors.Join(d.fails(), d.simulated.Rename(from, to)) // an error does not say that nothing was done
}

func (d *faulty) Remove(path string) error {
	if err := d.simulated.Remove(path); err != nil {
		return err
	}
	return d.fails()
}

func (d *faulty) SyncDir(path string) error {
	if err := d.fails(); err != nil {
		return err
	}
	return d.simulated.SyncDir(path)
}

type faultyFile struct {
	folder.File
	disk *faulty
}

func (f *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.disk.fails(); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], at)
		return n, err
	}
	return f.File.WriteAt(b, at)
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.disk.fails(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.fails(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Close() error { return errors.Join(f.disk.fails(), f.File.Close()) }

// Whatever call to the disk fails, once, and however far it came: what was kept is
// there, once and in order, and what was not kept can be tried again.
func TestOneCallFails(t *testing.T) {
	t.Parallel()
	for at, more := 1, true; more; at++ {
		require.Less(t, at, 200)
		d := &faulty{simulated: newDisk(rand.New(rand.NewPCG(1, uint64(at)))), at: at}
		open := func() (f *folder.Folder) {
			for range 2 {
				var err error
				f, err = folder.Open("/data/box", folder.Options{Disk: d})
				if err == nil {
					return f
				}
				require.ErrorIs(t, err, syscall.EIO)
			}
			require.FailNow(t, "it does not open", "call %d", at)
			return nil
		}
		var kept []sandbox.Record
		for life := range 3 {
			f := open()
			var got []sandbox.Record
			load := func() error {
				got = nil
				return f.Load(func(r io.Reader, size int64) error {
					text, err := io.ReadAll(r)
					got = append([]sandbox.Record(nil), kept[:len(text)]...)
					return err
				}, func(r sandbox.Record) error { got = append(got, r); return nil })
			}
			if err := load(); err != nil {
				require.ErrorIs(t, err, syscall.EIO)
				require.NoError(t, load())
			}
			require.Equal(t, kept, got, "call %d, life %d", at, life)
			for i := range 4 {
				batch := []sandbox.Record{{Advance: time.Duration(1 + len(kept))}, {Advance: time.Duration(2 + len(kept))}}[:1+i%2]
				if err := f.Append(batch...); err != nil {
					require.ErrorIs(t, err, syscall.EIO)
					require.NoError(t, f.Append(batch...), "call %d", at)
				}
				kept = append(kept, batch...)
				if i == life {
					save := func() error {
						return f.Save(func(w io.Writer) error { _, err := w.Write(make([]byte, len(kept))); return err })
					}
					if err := save(); err != nil {
						require.ErrorIs(t, err, syscall.EIO)
						require.NoError(t, save())
					}
				}
			}
			if err := f.Close(); err != nil {
				require.ErrorIs(t, err, syscall.EIO)
			}
			d.simulated = d.restore() // the power fails behind it
		}
		more = d.n >= at
	}
}
