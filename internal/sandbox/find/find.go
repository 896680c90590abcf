// Package find looks through lists that grow long: for the entries that hold a
// text, and for the part of a list that is shown.
package find

import (
	"bytes"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Index finds the entries of a list that hold a text anywhere in their words. Its
// zero value is empty.
//
// Entries lie scattered in memory, and most of the time of a search is waiting
// for them. So their words are kept here, one behind the other, in blocks, and of
// a full block which three bytes follow each other somewhere in it: it is read
// only if all those of the text do.
type Index struct {
	blocks []*block
	next   int
}

type block struct {
	words   []byte
	ends    []int // where the words of a record end
	owners  []int // whose they are; an entry can have several records
	amounts []int64
	grams   []uint64 // a bit for each hash of three bytes, nil while there is room in the block
	shift   int      // from a hash to its bit
}

const (
	blockSize = 4 << 10 // bytes of words, with which a block is full
	hashBits  = 16
)

func hash(gram []byte) uint16 {
	n := uint32(gram[0]) | uint32(gram[1])<<8 | uint32(gram[2])<<16
	return uint16(n * 0x9E3779B1 >> (32 - hashBits))
}

// hashes are those of all three bytes in a row.
func hashes(text []byte) (list []uint16) {
	for i := range len(text) - 2 {
		list = append(list, hash(text[i:]))
	}
	return list
}

// Next is one more than the highest entry that was added.
func (x *Index) Next() int { return x.next }

// Add adds words to an entry, and what it is about in fen, 0 for nothing.
func (x *Index) Add(entry int, amount int64, words ...string) {
	x.next = max(x.next, entry+1)
	if n := len(x.blocks); n == 0 || x.blocks[n-1].grams != nil {
		x.blocks = append(x.blocks, &block{})
	}
	b := x.blocks[len(x.blocks)-1]
	for _, w := range words {
		b.words = append(append(b.words, w...), '\n')
	}
	b.ends, b.owners, b.amounts = append(b.ends, len(b.words)), append(b.owners, entry), append(b.amounts, amount)
	if len(b.words) < blockSize {
		return
	}
	// Two bits for a byte leave most of them unset.
	size := min(bits.Len(uint(2*len(b.words)-1)), hashBits)
	b.words, b.grams, b.shift = bytes.Clone(b.words), make([]uint64, 1<<size/64), hashBits-size
	for i := range len(b.words) - 2 {
		h := hash(b.words[i:]) >> b.shift
		b.grams[h/64] |= 1 << (h % 64)
	}
}

// Forget drops entries before one, if they came in their order.
func (x *Index) Forget(before int) {
	n := 0
	for n < len(x.blocks) && x.blocks[n].owners[len(x.blocks[n].owners)-1] < before {
		n++
	}
	x.blocks = slices.Delete(x.blocks, 0, n)
}

// Find lists the entries that hold a text, or are about the amount that it is, in
// the order of their numbers.
func (x *Index) Find(text string) (found []int) {
	want, amount := []byte(text), AmountOf(text)
	grams := hashes(want)
	for _, b := range x.blocks {
		if amount > 0 {
			for i, of := range b.amounts {
				if of == amount {
					found = append(found, b.owners[i])
				}
			}
		}
		if b.grams != nil && slices.ContainsFunc(grams, b.lacks) {
			continue
		}
		record := 0
		for from := 0; from < len(b.words); from = b.ends[record] {
			i := bytes.Index(b.words[from:], want)
			if i < 0 {
				break
			}
			for b.ends[record] <= from+i {
				record++
			}
			found = append(found, b.owners[record])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (b *block) lacks(h uint16) bool {
	h >>= b.shift
	return b.grams[h/64]&(1<<(h%64)) == 0
}

// AmountOf is the amount that a person searches for, in fen: 300, 300.00 and
// 1,000.00 are. What is none is -1.
func AmountOf(text string) int64 {
	whole, cents, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), ".")
	if len(cents) != 2 && strings.Contains(text, ".") || whole == "" || len(whole) > 15 {
		return -1
	}
	fen, err := strconv.ParseUint(whole+(cents + "00")[:2], 10, 63)
	if err != nil || strings.HasPrefix(whole, "0") && whole != "0" {
		return -1
	}
	return int64(fen)
}
