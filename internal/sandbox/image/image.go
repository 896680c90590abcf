// Package image writes all that a value holds to a stream, and reads it back:
// unexported fields, interfaces, and pointers as they are shared and lead round
// in circles. What a type looks like is found out from the type itself, so that
// a field that is added later cannot be forgotten.
//
// An image is read by the program that wrote it, or by one whose types have the
// same [Coder.Schema]. Whoever keeps one over time keeps the schema beside it.
package image

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// ErrDamaged says that a stream is not what was written.
var ErrDamaged = errors.New("the image is damaged")

// maxDepth bounds how deep values nest.
const maxDepth = 1000

// Coder writes and reads images of one type.
type Coder struct {
	root     reflect.Type
	codec    *codec
	codecs   map[reflect.Type]*codec
	concrete []reflect.Type // what interfaces hold
	names    map[unsafe.Pointer]string
	named    map[string]unsafe.Pointer // by type and name
	types    map[reflect.Type]bool     // of what is named
	schema   strings.Builder
}

// codec writes and reads what lies at an address. Number tells types apart.
type codec struct {
	number uint64
	write  func(w *writer, p unsafe.Pointer)
	read   func(r *reader, p unsafe.Pointer)
}

// New returns a coder for the type of root. Concrete are values of the types
// that interfaces may hold. Named are pointers that are not followed but
// written as a name, for what belongs to the program: tables, places. New fails
// where something can be reached that cannot be written, such as a function.
func New(root any, concrete []any, named map[string]any) (*Coder, error) {
	c := &Coder{
		root: reflect.TypeOf(root), codecs: make(map[reflect.Type]*codec),
		names: make(map[unsafe.Pointer]string), named: make(map[string]unsafe.Pointer), types: make(map[reflect.Type]bool),
	}
	for _, v := range concrete {
		c.concrete = append(c.concrete, reflect.TypeOf(v))
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		v := reflect.ValueOf(named[name])
		c.types[v.Type()] = true
		c.names[v.UnsafePointer()] = name
		c.named[v.Type().String()+" "+name] = v.UnsafePointer()
		fmt.Fprintf(&c.schema, "%s is named %s\n", v.Type(), name)
	}
	var err error
	if c.codec, err = c.of(c.root); err != nil {
		return nil, err
	}
	for _, t := range c.concrete {
		if _, err := c.of(t); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Schema is a fingerprint of the types.
func (c *Coder) Schema() string {
	sum := sha256.Sum256([]byte(c.schema.String()))
	return hex.EncodeToString(sum[:16])
}

// Write writes what v, a pointer to the coder's type, points at.
func (c *Coder) Write(to io.Writer, v any) error {
	p := reflect.ValueOf(v)
	if p.Type().Elem() != c.root {
		return fmt.Errorf("image: want a pointer to %s, got %T", c.root, v)
	}
	w := &writer{to: to, seen: make(map[address]uint64), recent: new([recentStrings]string)}
	c.codec.write(w, p.UnsafePointer())
	w.flush()
	return w.err
}

// Read fills what v points at from a stream of that many bytes.
func (c *Coder) Read(from io.Reader, size int64, v any) error {
	p := reflect.ValueOf(v)
	if p.Type().Elem() != c.root {
		return fmt.Errorf("image: want a pointer to %s, got %T", c.root, v)
	}
	r := &reader{from: from, left: size, recent: new([recentStrings]string)}
	c.codec.read(r, p.UnsafePointer())
	if r.err == nil && (r.left > 0 || r.at < len(r.chunk)) {
		r.err = ErrDamaged
	}
	return r.err
}

var timeType = reflect.TypeFor[time.Time]()

// of finds the codec of a type, and makes it if there is none.
func (c *Coder) of(t reflect.Type) (*codec, error) {
	if k := c.codecs[t]; k != nil {
		return k, nil
	}
	k := &codec{number: uint64(len(c.codecs))}
	c.codecs[t] = k
	fmt.Fprintf(&c.schema, "%d is %s, %s\n", k.number, t, t.Kind())
	var err error
	switch {
	case t == timeType:
		c.time(k)
	case c.types[t]:
		c.namedPointer(k, t)
	default:
		err = c.make(k, t)
	}
	return k, err
}

func (c *Coder) make(k *codec, t reflect.Type) error {
	switch t.Kind() {
	case reflect.Bool:
		k.write = func(w *writer, p unsafe.Pointer) { w.boolean(*(*bool)(p)) }
		k.read = func(r *reader, p unsafe.Pointer) { *(*bool)(p) = r.boolean() }
	case reflect.Int:
		k.write = func(w *writer, p unsafe.Pointer) { w.int(int64(*(*int)(p))) }
		k.read = func(r *reader, p unsafe.Pointer) { *(*int)(p) = int(r.int()) }
	case reflect.Int64:
		k.write = func(w *writer, p unsafe.Pointer) { w.int(*(*int64)(p)) }
		k.read = func(r *reader, p unsafe.Pointer) { *(*int64)(p) = r.int() }
	case reflect.Uint8:
		k.write = func(w *writer, p unsafe.Pointer) { w.uint(uint64(*(*uint8)(p))) }
		k.read = func(r *reader, p unsafe.Pointer) { *(*uint8)(p) = uint8(r.upTo(math.MaxUint8)) }
	case reflect.String:
		k.write = func(w *writer, p unsafe.Pointer) { w.string(*(*string)(p)) }
		k.read = func(r *reader, p unsafe.Pointer) { *(*string)(p) = r.string() }
	case reflect.Array:
		return c.array(k, t)
	case reflect.Struct:
		return c.structure(k, t)
	case reflect.Pointer:
		return c.pointer(k, t)
	case reflect.Slice:
		return c.slice(k, t)
	case reflect.Map:
		return c.mapping(k, t)
	case reflect.Interface:
		c.holder(k, t)
	default:
		return fmt.Errorf("image: a value of type %s cannot be written", t)
	}
	return nil
}

func (c *Coder) array(k *codec, t reflect.Type) error {
	n := t.Len()
	if t.Elem().Kind() == reflect.Uint8 {
		k.write = func(w *writer, p unsafe.Pointer) { w.bytes(unsafe.Slice((*byte)(p), n)) }
		k.read = func(r *reader, p unsafe.Pointer) { copy(unsafe.Slice((*byte)(p), n), r.take(n)) }
		return nil
	}
	element, err := c.of(t.Elem())
	size := t.Elem().Size()
	k.write = func(w *writer, p unsafe.Pointer) {
		for i := range n {
			element.write(w, unsafe.Add(p, uintptr(i)*size))
		}
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		for i := range n {
			element.read(r, unsafe.Add(p, uintptr(i)*size))
		}
	}
	return err
}

func (c *Coder) structure(k *codec, t reflect.Type) error {
	type field struct {
		offset uintptr
		codec  *codec
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		element, err := c.of(f.Type)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		fmt.Fprintf(&c.schema, "%d has %s of %d\n", k.number, f.Name, element.number)
		fields = append(fields, field{f.Offset, element})
	}
	k.write = func(w *writer, p unsafe.Pointer) {
		if !w.enter() {
			return
		}
		for i := range fields {
			fields[i].codec.write(w, unsafe.Add(p, fields[i].offset))
		}
		w.depth--
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		if !r.enter() {
			return
		}
		for i := range fields {
			fields[i].codec.read(r, unsafe.Add(p, fields[i].offset))
		}
		r.depth--
	}
	return nil
}

// What stands before something that can be shared: that there is nothing, that
// it follows, or where it was.
const (
	none = iota
	follows
	before
)

func (c *Coder) pointer(k *codec, t reflect.Type) error {
	element, err := c.of(t.Elem())
	k.write = func(w *writer, p unsafe.Pointer) {
		at := *(*unsafe.Pointer)(p)
		if at != nil && !w.known(at, 1, k) {
			element.write(w, at)
		} else if at == nil {
			w.uint(none)
		}
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		switch n := r.uint(); n {
		case none:
		case follows:
			at := reflect.New(t.Elem()).UnsafePointer()
			*(*unsafe.Pointer)(p) = at
			r.seen = append(r.seen, shared{at, 1, k})
			element.read(r, at)
		default:
			*(*unsafe.Pointer)(p) = r.again(n, k).at
		}
	}
	return err
}

// Slices that begin at the same place and are as long are one.
func (c *Coder) slice(k *codec, t reflect.Type) error {
	element, err := c.of(t.Elem())
	size := t.Elem().Size()
	type header struct {
		at       unsafe.Pointer
		len, cap int
	}
	k.write = func(w *writer, p unsafe.Pointer) {
		h := (*header)(p)
		switch {
		case h.at == nil:
			w.uint(none)
		case h.len == 0:
			w.uint(follows)
			w.uint(0)
		case !w.known(h.at, h.len, k):
			w.uint(uint64(h.len))
			for i := range h.len {
				element.write(w, unsafe.Add(h.at, uintptr(i)*size))
			}
		}
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		h := (*header)(p)
		switch n := r.uint(); n {
		case none:
		case follows:
			// Each element takes a byte at least.
			count := int(r.upTo(uint64(r.left) + uint64(len(r.chunk)-r.at)))
			reflect.NewAt(t, p).Elem().Set(reflect.MakeSlice(t, count, count))
			if count == 0 {
				return
			}
			r.seen = append(r.seen, shared{h.at, count, k})
			for i := 0; i < count && r.err == nil; i++ {
				element.read(r, unsafe.Add(h.at, uintptr(i)*size))
			}
		default:
			s := r.again(n, k)
			h.at, h.len, h.cap = s.at, s.len, s.len
		}
	}
	return err
}

func (c *Coder) mapping(k *codec, t reflect.Type) error {
	key, err := c.of(t.Key())
	if err != nil {
		return err
	}
	element, err := c.of(t.Elem())
	k.write = func(w *writer, p unsafe.Pointer) {
		m := reflect.NewAt(t, p).Elem()
		if m.IsNil() {
			w.uint(none)
			return
		}
		w.uint(uint64(m.Len()) + 1)
		from, to := reflect.New(t.Key()), reflect.New(t.Elem())
		for i := m.MapRange(); i.Next(); {
			from.Elem().SetIterKey(i)
			to.Elem().SetIterValue(i)
			key.write(w, from.UnsafePointer())
			element.write(w, to.UnsafePointer())
		}
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		n := r.upTo(uint64(r.left) + uint64(len(r.chunk)-r.at) + 1)
		if n == none {
			return
		}
		m := reflect.MakeMapWithSize(t, int(n-1))
		reflect.NewAt(t, p).Elem().Set(m)
		from, to := reflect.New(t.Key()), reflect.New(t.Elem())
		for ; n > 1 && r.err == nil; n-- {
			from.Elem().SetZero()
			to.Elem().SetZero()
			key.read(r, from.UnsafePointer())
			element.read(r, to.UnsafePointer())
			m.SetMapIndex(from.Elem(), to.Elem())
		}
	}
	return err
}

// holder is an interface: the number of the type, and a value of it.
func (c *Coder) holder(k *codec, t reflect.Type) {
	k.write = func(w *writer, p unsafe.Pointer) {
		v := reflect.NewAt(t, p).Elem()
		if v.IsNil() {
			w.uint(none)
			return
		}
		v = v.Elem()
		i := slices.Index(c.concrete, v.Type())
		if i < 0 {
			w.fail(fmt.Errorf("image: %s holds a %s, which is not on the list", t, v.Type()))
			return
		}
		w.uint(uint64(i) + 1)
		held := reflect.New(v.Type())
		held.Elem().Set(v)
		c.codecs[v.Type()].write(w, held.UnsafePointer())
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		i := r.upTo(uint64(len(c.concrete)))
		if i == none {
			return
		}
		held := c.concrete[i-1]
		if !held.Implements(t) {
			r.fail()
			return
		}
		v := reflect.New(held)
		c.codecs[held].read(r, v.UnsafePointer())
		if r.err == nil {
			reflect.NewAt(t, p).Elem().Set(v.Elem())
		}
	}
}

// namedPointer is one of those that belong to the program.
func (c *Coder) namedPointer(k *codec, t reflect.Type) {
	prefix := t.String() + " "
	k.write = func(w *writer, p unsafe.Pointer) {
		at := *(*unsafe.Pointer)(p)
		name := c.names[at]
		if at != nil && name == "" {
			w.fail(fmt.Errorf("image: a %s that has no name", t))
		}
		w.string(name)
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		if name := r.string(); name != "" {
			at := c.named[prefix+name]
			if at == nil {
				r.fail()
			}
			*(*unsafe.Pointer)(p) = at
		}
	}
}

// time is a moment without a monotonic reading, in a place that is UTC or has a
// name.
func (c *Coder) time(k *codec) {
	k.write = func(w *writer, p unsafe.Pointer) {
		t := (*time.Time)(p)
		place := ""
		if t.Location() != time.UTC {
			if place = c.names[unsafe.Pointer(t.Location())]; place == "" {
				w.fail(fmt.Errorf("image: a time of %s, which has no name", t.Location()))
			}
		}
		w.string(place)
		w.int(t.Unix())
		w.int(int64(t.Nanosecond()))
	}
	k.read = func(r *reader, p unsafe.Pointer) {
		place := r.string()
		t := time.Unix(r.int(), r.int()).UTC()
		if place != "" {
			at := (*time.Location)(c.named["*time.Location "+place])
			if at == nil {
				r.fail()
				return
			}
			t = t.In(at)
		}
		*(*time.Time)(p) = t
	}
}

// address tells what can be shared apart: a structure and its first field begin
// at the same place.
type address struct {
	at    unsafe.Pointer
	len   int
	codec *codec
}

// recentStrings is how many strings are at hand to be referred to: most of
// those in a state are the same few over and over.
const recentStrings = 1 << 14

// maxRecent bounds how long such a string is.
const maxRecent = 64

func slotOf(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return (h ^ h>>15) % recentStrings
}

type writer struct {
	to     io.Writer
	buf    []byte
	err    error
	depth  int
	seen   map[address]uint64
	recent *[recentStrings]string
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) enter() bool {
	if w.depth++; w.depth > maxDepth {
		w.fail(errors.New("image: values nest too deep"))
	}
	return w.err == nil
}

func (w *writer) flush() {
	if w.err == nil {
		_, w.err = w.to.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

func (w *writer) room() {
	if len(w.buf) > 64<<10 {
		w.flush()
	}
}

func (w *writer) uint(n uint64) { w.buf = binary.AppendUvarint(w.buf, n); w.room() }
func (w *writer) int(n int64)   { w.buf = binary.AppendVarint(w.buf, n); w.room() }
func (w *writer) bytes(b []byte) {
	w.buf = append(w.buf, b...)
	w.room()
}

func (w *writer) boolean(b bool) {
	n := uint64(0)
	if b {
		n = 1
	}
	w.uint(n)
}

// string writes an even number, which is a length, and the text; or an odd one,
// which says where among the recent strings it is.
func (w *writer) string(s string) {
	if s != "" && len(s) <= maxRecent {
		slot := slotOf(s)
		if w.recent[slot] == s {
			w.uint(uint64(slot)<<1 | 1)
			return
		}
		w.recent[slot] = s
	}
	w.uint(uint64(len(s)) << 1)
	w.buf = append(w.buf, s...)
	w.room()
}

// known says whether something was written already, and writes where or that it
// follows.
func (w *writer) known(at unsafe.Pointer, length int, k *codec) bool {
	key := address{at, length, k}
	if n, ok := w.seen[key]; ok {
		w.uint(n + before)
		return true
	}
	w.seen[key] = uint64(len(w.seen))
	w.uint(follows)
	return false
}

// shared is something that may be referred to again.
type shared struct {
	at    unsafe.Pointer
	len   int
	codec *codec
}

// chunkSize is how much is read at a time. Strings lie where they were read, so
// that one that stays keeps its chunk.
const chunkSize = 1 << 20

type reader struct {
	from   io.Reader
	left   int64 // bytes that were not read into a chunk yet
	chunk  []byte
	at     int // what of the chunk was used
	err    error
	depth  int
	seen   []shared
	recent *[recentStrings]string
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = ErrDamaged
	}
}

func (r *reader) enter() bool {
	if r.depth++; r.depth > maxDepth {
		r.fail()
	}
	return r.err == nil
}

// fill makes sure that n bytes are at hand, as far as there are any.
func (r *reader) fill(n int) {
	have := len(r.chunk) - r.at
	if have >= n || r.left == 0 || r.err != nil {
		return
	}
	more := min(int64(max(n-have, chunkSize)), r.left)
	chunk := make([]byte, have+int(more))
	copy(chunk, r.chunk[r.at:])
	if _, err := io.ReadFull(r.from, chunk[have:]); err != nil {
		r.err = err
		return
	}
	r.chunk, r.at = chunk, 0
	r.left -= more
}

func (r *reader) take(n int) []byte {
	if int64(n) > r.left+int64(len(r.chunk)-r.at) {
		r.fail()
	}
	r.fill(n)
	if r.err != nil {
		return nil
	}
	r.at += n
	return r.chunk[r.at-n : r.at]
}

func (r *reader) uint() uint64 {
	r.fill(binary.MaxVarintLen64)
	n, size := binary.Uvarint(r.chunk[r.at:])
	if size <= 0 {
		r.fail()
	}
	if r.err != nil {
		return 0
	}
	r.at += size
	return n
}

func (r *reader) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) upTo(most uint64) uint64 {
	n := r.uint()
	if n > most {
		r.fail()
		return 0
	}
	return n
}

func (r *reader) boolean() bool { return r.upTo(1) == 1 }

func (r *reader) string() string {
	n := r.uint()
	if n&1 == 1 {
		slot := n >> 1
		if slot >= recentStrings || r.recent[slot] == "" {
			r.fail()
			return ""
		}
		return r.recent[slot]
	}
	if n >>= 1; n > math.MaxInt32 {
		r.fail()
		return ""
	}
	b := r.take(int(n))
	if len(b) == 0 {
		return ""
	}
	s := unsafe.String(&b[0], len(b)) // a chunk never changes once it is read
	if len(s) <= maxRecent {
		r.recent[slotOf(s)] = s
	}
	return s
}

// again is what a number refers to, which must be of the right type.
func (r *reader) again(n uint64, k *codec) shared {
	if n -= before; r.err != nil || n >= uint64(len(r.seen)) || r.seen[n].codec != k {
		r.fail()
		return shared{}
	}
	return r.seen[n]
}
