// Package folder keeps what happens in a sandbox in the files of a folder.
//
// The journal holds every record, in the order in which they came, and is only
// ever written at its end: one write and one sync for all who wait. The snapshot
// is a state that was saved, so that the next start need not go through all
// records again; without it nothing is lost but time. Files are made under
// another name and renamed when they are whole.
package folder

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/journal"
)

// Format numbers how the files are laid out. Raise it whenever an older
// program would misread what this one writes. That a program would come to
// another result when it replays the journal is the affair of [engine.Rules].
const Format = 3

// The files of a folder.
const (
	JournalFile  = "journal"
	SnapshotFile = "snapshot"
	lockFile     = "lock"
	unfinished   = ".new" // behind the name of a file that is being made
)

var errDamaged = errors.New("the journal is damaged")

// Options set up a [Folder]. The zero Options are in order.
type Options struct {
	// Program is the version that begins the folder, for a later one that
	// cannot read it.
	Program string
	// Say hears of what was mended, in a sentence.
	Say func(string)
	// Disk is by default the machine's.
	Disk Disk
}

// Folder is a data folder that this process has to itself.
type Folder struct {
	Options
	path  string
	lock  io.Closer
	file  File // the journal
	id    string
	begin int64 // of the records

	last frame  // the last that is kept, without its body
	end  int64  // behind it
	size int64  // of the file: what is behind end is zeros, for the records to come
	n    uint64 // number of the last record
	torn bool   // something of a write that failed may lie behind end
	read bool   // end is where the journal ends, because it was read to there or is new

	buf []byte
}

// beginning is in the first frame of a journal.
type beginning struct {
	Format  int
	Rules   int
	Program string
	ID      string // of the journal, so that nobody takes another one's snapshot for its
}

// Open opens a data folder, which it creates if need be. Only one process at a
// time can have it.
func Open(path string, o Options) (*Folder, error) {
	if o.Disk == nil {
		o.Disk = System{}
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	f := &Folder{Options: o, path: path}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", path, plain(err)), f.giveUp())
	}
	return f, nil
}

// plain says an error of the file system without the name of the file, which
// is one of ours, where the reason alone tells a person more.
func plain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return errors.New("no permission")
	}
	return err
}

func (f *Folder) name(file string) string { return filepath.Join(f.path, file) }

func (f *Folder) open() (err error) {
	if err := f.Disk.MkdirAll(f.path); err != nil {
		return err
	}
	if f.lock, err = f.Disk.Lock(f.path); err != nil {
		return err
	}
	for _, file := range []string{JournalFile, SnapshotFile} {
		if err := f.Disk.Remove(f.name(file + unfinished)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f.file, err = f.Disk.Open(f.name(JournalFile), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return f.create()
	}
	if err != nil {
		return err
	}
	if f.size, err = f.file.Size(); err != nil {
		return err
	}
	// A name that is here may still be one that the loss of power takes away.
	if err := f.syncNames(); err != nil {
		return err
	}
	return f.readBeginning()
}

func (f *Folder) syncNames() error {
	_ = f.Disk.SyncDir(filepath.Dir(f.path)) // which may be somebody else's
	return f.Disk.SyncDir(f.path)
}

// create makes a journal under another name, and gives it its own when it is
// whole.
func (f *Folder) create() (err error) {
	file := f.name(JournalFile + unfinished)
	if f.file, err = f.Disk.Open(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if f.file != nil {
				_ = f.file.Close() // once more does no harm
			}
			f.file = nil
			_ = f.Disk.Remove(file) // else the next start does
		}
	}()
	f.id = rand.Text()
	text, err := json.Marshal(beginning{Format, engine.Rules, f.Program, f.id})
	if err != nil {
		return err
	}
	if err := f.put(0, append(make([]byte, headLen), text...)); err != nil {
		return err
	}
	f.begin, f.read = f.end, true
	// Closed first: there are systems that rename no open file.
	if err := f.file.Close(); err != nil {
		return err
	}
	if err := f.Disk.Rename(file, f.name(JournalFile)); err != nil {
		return err
	}
	if f.file, err = f.Disk.Open(f.name(JournalFile), os.O_RDWR); err != nil {
		return err
	}
	return f.syncNames()
}

// readBeginning refuses a journal that this program would read otherwise than
// the one that wrote it.
func (f *Folder) readBeginning() error {
	first, err := (&window{file: f.file, size: f.size}).frame(0)
	var b beginning
	if errors.Is(err, errNoFrame) || err == nil && (first.first != 0 || json.Unmarshal(first.body, &b) != nil) {
		return fmt.Errorf("%w, or is no sandbox's: it does not begin as one", errDamaged)
	}
	if err != nil {
		return err
	}
	f.id, f.begin = b.ID, first.end()
	f.last, f.end = first, f.begin
	const way = "that version reads it, and its -export writes the books as JSON"
	if b.Format != Format {
		return fmt.Errorf("written in format %d by version %s; this program knows format %d: %s", b.Format, b.Program, Format, way)
	}
	if b.Rules != engine.Rules {
		return fmt.Errorf("written under rules %d by version %s; this program has rules %d: %s", b.Rules, b.Program, engine.Rules, way)
	}
	return nil
}

// Load hands over the state of the snapshot, if there is one and it is taken,
// and every record that came after it; otherwise all records.
func (f *Folder) Load(state func(io.Reader, int64) error, each func(journal.Record) error) error {
	from, err := f.loadSnapshot(state)
	if err != nil {
		f.Say(fmt.Sprintf("the snapshot is passed over, and the journal worked through from its beginning: %v", err))
		from = snapshotHead{End: f.begin}
	}
	f.read = false
	w := &window{file: f.file, size: f.size}
	if from.Records > 0 {
		if f.last, err = w.frame(from.Last); err != nil || f.last.sum != from.Sum || f.last.end() != from.End {
			return fmt.Errorf("%w: the snapshot knows of %d records, and the journal does not hold them all", errDamaged, from.Records)
		}
	}
	f.n, f.end = from.Records, from.End
	for {
		next, err := w.frame(f.end)
		switch {
		case errors.Is(err, errNoFrame):
			return f.cut(w)
		case err != nil:
			return err
		case next.first != f.n+1:
			return fmt.Errorf("%w: record %d is missing", errDamaged, f.n+1)
		}
		for line := range bytes.Lines(next.body) {
			f.n++
			var r journal.Record
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("record %d cannot be read", f.n) // without its text: it holds ids
			}
			if err := each(r); err != nil {
				return err
			}
		}
		f.last, f.end = next, next.end()
	}
}

// cut takes away what a write that was not finished has left behind the last
// frame. Nothing of it was ever told anybody: one is written when the one before
// it is safe, so that a later frame means that this one was, too.
func (f *Folder) cut(w *window) error {
	zeros, later, err := w.rest(f.end, f.n+1)
	switch {
	case err != nil:
		return err
	case later:
		return fmt.Errorf("%w: record %d is not what was written, and others follow it", errDamaged, f.n+1)
	}
	f.read = true
	if zeros {
		return nil
	}
	f.Say(fmt.Sprintf("the end of the journal, behind record %d, was not written to its end and was cut off: "+
		"it is of a moment when the power failed or the program was killed, and nobody had been told of what is in it", f.n))
	f.torn = true
	return f.mend()
}

// mend takes away what lies behind the end.
func (f *Folder) mend() error {
	if !f.torn {
		return nil
	}
	if err := f.file.Truncate(f.end); err != nil {
		return err
	}
	f.size = f.end
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.torn = false
	return nil
}

// Append keeps the records, all or none of them. After an error nothing of them
// is kept, and it may be tried again.
func (f *Folder) Append(records ...journal.Record) error {
	if !f.read {
		return errors.New("a data folder is read before it is written")
	}
	buf := bytes.NewBuffer(append(f.buf[:0], make([]byte, headLen)...))
	to := json.NewEncoder(buf) // which ends each with a line break
	for i := range records {
		if err := to.Encode(&records[i]); err != nil {
			return err
		}
	}
	f.buf = buf.Bytes()
	if err := f.put(f.n+1, f.buf); err != nil {
		return err
	}
	f.n += uint64(len(records))
	if cap(f.buf) > 1<<20 {
		f.buf = nil
	}
	return nil
}

// room is how much a journal grows by at a time. A file that keeps its size is
// synced in half the time.
const room = 1 << 20

// put writes a frame behind the last one.
func (f *Folder) put(first uint64, whole []byte) error {
	if err := f.mend(); err != nil {
		return err
	}
	putHead(whole, first)
	n := int64(len(whole))
	f.torn = true
	if f.end+n > f.size {
		padded := append(whole, make([]byte, room)...)
		if _, err := f.file.WriteAt(padded, f.end); err == nil {
			f.size = f.end + int64(len(padded))
		} else {
			// It may be the zeros that there is no room for.
			if err := f.file.Truncate(f.end); err != nil {
				return err
			}
			if _, err := f.file.WriteAt(whole, f.end); err != nil {
				return err
			}
			f.size = f.end + n
		}
	} else if _, err := f.file.WriteAt(whole, f.end); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	f.torn = false
	f.last = frame{at: f.end, first: first, sum: binary.LittleEndian.Uint32(whole[16:])}
	f.end += n
	return nil
}

// snapshotHead is at the head of a snapshot, as JSON in a line of fixed length.
type snapshotHead struct {
	Format  int
	ID      string // of the journal
	Records uint64 // that led to the state
	Last    int64  // where the frame is in which the last of them is
	Sum     uint32 // of that frame
	End     int64  // behind it
	Size    int64  // of the state
	State   uint32 // checksum of the state
}

const snapshotHeadLen = 512

func (f *Folder) loadSnapshot(state func(io.Reader, int64) error) (h snapshotHead, err error) {
	file, err := f.Disk.Open(f.name(SnapshotFile), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return snapshotHead{End: f.begin}, nil
	}
	if err != nil {
		return h, err
	}
	defer file.Close()
	text := make([]byte, snapshotHeadLen)
	if _, err := file.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	line, sum, ok := bytes.Cut(bytes.TrimRight(text, " \n\x00"), []byte(" "))
	size, err := file.Size()
	switch {
	case err != nil:
		return h, err
	case !ok || string(sum) != sumText(line) || json.Unmarshal(line, &h) != nil:
		return h, errors.New("its head is damaged")
	case h.Format != Format:
		return h, fmt.Errorf("it is of format %d", h.Format)
	case h.ID != f.id:
		return h, errors.New("it is of another journal")
	case size != snapshotHeadLen+h.Size:
		return h, errors.New("it is not as long as it was")
	}
	body := func() io.Reader { return io.NewSectionReader(file, snapshotHeadLen, h.Size) }
	hash := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(struct{ io.Writer }{hash}, body(), make([]byte, windowSize)); err != nil {
		return h, err
	}
	if hash.Sum32() != h.State {
		return h, errors.New("its checksum does not hold")
	}
	return h, state(body(), h.Size)
}

func sumText(line []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(line, castagnoli)) }

// Save keeps a state to which all records so far have led.
func (f *Folder) Save(state func(io.Writer) error) (err error) {
	name := f.name(SnapshotFile + unfinished)
	file, err := f.Disk.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Disk.Remove(name) // else the next start does
		}
	}()
	body := &counted{file: file, at: snapshotHeadLen}
	buffered := bufio.NewWriterSize(body, windowSize)
	err = state(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		h := snapshotHead{Format, f.id, f.n, f.last.at, f.last.sum, f.end, body.at - snapshotHeadLen, body.sum}
		err = writeSnapshotHead(file, h)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.Disk.Rename(name, f.name(SnapshotFile)); err != nil {
		return err
	}
	return f.Disk.SyncDir(f.path)
}

func writeSnapshotHead(file File, h snapshotHead) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	text := bytes.Repeat([]byte(" "), snapshotHeadLen)
	text[snapshotHeadLen-1] = '\n'
	copy(text, fmt.Sprintf("%s %s", line, sumText(line)))
	_, err = file.WriteAt(text, 0)
	return err
}

// counted writes a file from a place on and keeps the checksum.
type counted struct {
	file File
	at   int64
	sum  uint32
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.file.WriteAt(b, c.at)
	c.at += int64(n)
	c.sum = crc32.Update(c.sum, castagnoli, b[:n])
	return n, err
}

// Close lets other processes have the folder.
func (f *Folder) Close() error {
	if f.read && f.size > f.end {
		f.torn = true
		_ = f.mend() // of the zeros, which do no harm
	}
	return f.giveUp()
}

func (f *Folder) giveUp() error {
	var err error
	if f.file != nil {
		err = f.file.Close()
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	f.file, f.lock = nil, nil
	return err
}
