package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/folder"
)

var everyPoint = flag.Bool("everypoint", false, "TestKillAtEachPoint kills at every point and not at some")

// dieAt in the environment is the call to the disk at which the program kills
// itself, and how: before it, in its midst, or behind it.
const dieAt = "SANDBOX_TEST_DIE_AT"

const (
	dieBefore = iota
	dieAmid
	dieBehind
	dieWays
)

// deadly is a disk that kills the program.
type deadly struct {
	folder.Disk
	calls   atomic.Int64
	at, how int64
}

// deadlyDisk makes the program's disk deadly if that is asked for.
func deadlyDisk() {
	at, how, ok := strings.Cut(os.Getenv(dieAt), " ")
	if !ok {
		return
	}
	d := &deadly{Disk: folder.System{}}
	d.at, _ = strconv.ParseInt(at, 10, 64)
	d.how, _ = strconv.ParseInt(how, 10, 64)
	disk = d
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// around does a call; half of it is what there is to its midst.
func (d *deadly) around(call, half func() error) error {
	now := d.calls.Add(1) == d.at
	switch {
	case now && d.how == dieBefore:
		die()
	case now && d.how == dieAmid:
		if half != nil {
			_ = half()
		}
		die()
	}
	err := call()
	if now {
		die()
	}
	return err
}

func (d *deadly) Open(path string, flags int) (f folder.File, err error) {
	err = d.around(func() error { f, err = d.Disk.Open(path, flags); return err }, nil)
	if err != nil {
		return nil, err
	}
	return &deadlyFile{f, d}, nil
}

func (d *deadly) Rename(from, to string) error {
	return d.around(func() error { return d.Disk.Rename(from, to) }, nil)
}

func (d *deadly) Remove(path string) error {
	return d.around(func() error { return d.Disk.Remove(path) }, nil)
}

func (d *deadly) SyncDir(path string) error {
	return d.around(func() error { return d.Disk.SyncDir(path) }, nil)
}

type deadlyFile struct {
	folder.File
	disk *deadly
}

func (f *deadlyFile) WriteAt(b []byte, at int64) (n int, err error) {
	err = f.disk.around(func() error { n, err = f.File.WriteAt(b, at); return err },
		func() error { _, err := f.File.WriteAt(b[:min(len(b)/2, 333)], at); return err })
	return n, err
}

func (f *deadlyFile) Sync() error {
	return f.disk.around(f.File.Sync, nil)
}

func (f *deadlyFile) Truncate(size int64) error {
	return f.disk.around(func() error { return f.File.Truncate(size) }, nil)
}

// TestKillAtEachPoint kills the program at each of its calls to the disk, from
// its first start to an orderly stop. Whatever it answered must be there at the
// next start.
func TestKillAtEachPoint(t *testing.T) {
	step := 7
	switch {
	case *everyPoint:
		step = 1
	case testing.Short():
		step = 13
	}
	runs := 0
	for n, ended := 1, false; !ended; n += step {
		ways := []int{n % dieWays}
		if *everyPoint {
			ways = []int{dieBefore, dieAmid, dieBehind}
		}
		for _, how := range ways {
			runs++
			ended = killAt(t, n, how) || ended
		}
		if ended {
			require.Greater(t, n, 25, "there are more calls than that")
			t.Logf("%d runs, %d points", runs, n-1)
		}
	}
}

// killAt says whether the program came to its end before.
func killAt(t *testing.T, n, how int) (ended bool) {
	t.Helper()
	w := newKillWorld(t)
	w.env = []string{fmt.Sprint(dieAt, "=", n, " ", how)}
	if w.tryStart() {
		for i := range 6 {
			p := &person{name: "张三", ident: fmt.Sprintf("11010119910202%04d", i), mobile: fmt.Sprintf("139%08d", i), email: fmt.Sprintf("other%d@example.com", i)}
			o := w.order("CreateNewIpsAcct", fmt.Sprintf("Z%d", i), []string{
				"pIdentType", "1", "pIdentNo", p.ident, "pRealName", p.name, "pMobileNo", p.mobile, "pEmail", p.email, "pSmDate", "20141124",
			})
			w.orders = append(w.orders, o)
			answer, err := w.send(o)
			if err != nil {
				break
			}
			o.answer = answer
			require.True(t, strings.HasPrefix(answer, "MG00000F "), answer)
		}
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
	}
	err := w.cmd.Wait()
	w.http.CloseIdleConnections()
	var killed *exec.ExitError
	if ended = err == nil; !ended {
		require.ErrorAs(t, err, &killed)
		require.Equal(t, syscall.SIGKILL, killed.Sys().(syscall.WaitStatus).Signal())
	}
	w.env = nil
	for range 2 { // the second time from what the first has left in order
		w.start()
		var books struct{ OK bool }
		w.get("/admin/books", &books)
		assert.True(t, books.OK)
		for _, o := range w.orders {
			answer, err := w.send(o)
			require.NoError(t, err)
			if o.answer == "" {
				o.answer = answer
			}
			require.Equal(t, o.answer, answer, "killed at call %d, way %d: the first answer to %s", n, how, o.number)
		}
		w.stop()
	}
	return ended
}

// tryStart starts the program; it may die before it listens.
func (w *killWorld) tryStart() bool {
	w.t.Helper()
	w.cmd = exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-data", w.dir)
	w.cmd.Env = append(append(os.Environ(), beTheProgram+"=1"), w.env...)
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, w.cmd.Start())
	w.base = ""
	lines := bufio.NewScanner(out)
	for w.base == "" && lines.Scan() {
		if m := pagesLine.FindStringSubmatch(lines.Text()); m != nil {
			w.base = m[1]
		}
	}
	if w.base == "" {
		return false
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return true
}

var pagesLine = regexp.MustCompile(`^\s*pages\s+(http://\S+)/CreditWeb/$`)
