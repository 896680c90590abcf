package folder

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A frame is what is written at once: a head of 24 bytes and the records in it,
// JSON, a line each.
//
//	 0  magic
//	 4  length of what follows the head
//	 8  number of the first record, from 1; 0 is the frame that begins the file
//	16  checksum of what follows the head
//	20  checksum of the 20 bytes before
//
// Numbers are little-endian, checksums CRC-32C.
type frame struct {
	at    int64 // where it begins
	first uint64
	sum   uint32
	body  []byte
}

func (f *frame) end() int64 { return f.at + headLen + int64(len(f.body)) }

const (
	headLen = 24
	// maxFrame bounds what is believed of a length.
	maxFrame = 1 << 30
)

var (
	magic      = []byte("ipsj")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// errNoFrame says that there is no whole frame here.
	errNoFrame = errors.New("no frame")
)

// putHead writes the head of the frame whose body follows it in buf.
func putHead(buf []byte, first uint64) {
	copy(buf, magic)
	binary.LittleEndian.PutUint32(buf[4:], uint32(len(buf)-headLen))
	binary.LittleEndian.PutUint64(buf[8:], first)
	binary.LittleEndian.PutUint32(buf[16:], crc32.Checksum(buf[headLen:], castagnoli))
	binary.LittleEndian.PutUint32(buf[20:], crc32.Checksum(buf[:20], castagnoli))
}

// readHead takes a head apart, if it is one.
func readHead(head []byte) (length int, first uint64, sum uint32, ok bool) {
	if len(head) < headLen || !bytes.HasPrefix(head, magic) ||
		crc32.Checksum(head[:20], castagnoli) != binary.LittleEndian.Uint32(head[20:]) {
		return 0, 0, 0, false
	}
	n := binary.LittleEndian.Uint32(head[4:])
	return int(n), binary.LittleEndian.Uint64(head[8:]), binary.LittleEndian.Uint32(head[16:]), n <= maxFrame
}

// window reads a file from front to back, much at a time.
type window struct {
	file File
	size int64
	at   int64 // where buf begins
	buf  []byte
}

const windowSize = 1 << 20

// bytes are the n at a place, or as many as there are. They are valid until the
// next call.
func (w *window) bytes(at int64, n int) ([]byte, error) {
	if at >= w.at && at+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[at-w.at:][:n], nil
	}
	want := min(int64(max(n, windowSize)), w.size-at)
	if want < 0 {
		want = 0
	}
	if int64(cap(w.buf)) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.at = w.buf[:want], at
	if got, err := w.file.ReadAt(w.buf, at); err != nil && (!errors.Is(err, io.EOF) || int64(got) < want) {
		w.buf = w.buf[:0]
		return nil, err
	}
	return w.buf[:min(int64(n), want)], nil
}

// frame reads the frame at a place; its body is valid until the next call.
func (w *window) frame(at int64) (frame, error) {
	head, err := w.bytes(at, headLen)
	if err != nil {
		return frame{}, err
	}
	length, first, sum, ok := readHead(head)
	if !ok || at+headLen+int64(length) > w.size {
		return frame{}, errNoFrame
	}
	whole, err := w.bytes(at, headLen+length)
	if err != nil {
		return frame{}, err
	}
	body := whole[headLen:]
	if crc32.Checksum(body, castagnoli) != sum {
		return frame{}, errNoFrame
	}
	return frame{at, first, sum, body}, nil
}

// rest says what there is from a place on that is no frame: whether all of it is
// zeros, and whether the head of a frame is in it that begins with a later record. Text of records looks
// like no head: there are zeros in a head, and none in JSON.
func (w *window) rest(at int64, from uint64) (zeros, later bool, err error) {
	zeros = true
	for at < w.size {
		b, err := w.bytes(at, windowSize)
		if err != nil {
			return false, false, err
		}
		for _, c := range b {
			if c != 0 {
				zeros = false
				break
			}
		}
		for i := 0; !zeros; i++ {
			n := bytes.Index(b[i:], magic)
			if n < 0 {
				break
			}
			i += n
			if _, first, _, ok := readHead(b[i:]); ok && first > from {
				return false, true, nil
			}
		}
		if len(b) < windowSize {
			break
		}
		at += int64(len(b)) - headLen + 1 // a head may lie across
	}
	return zeros, false, nil
}
