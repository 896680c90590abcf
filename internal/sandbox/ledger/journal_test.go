package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJournalMovesNothing(t *testing.T) {
	t.Parallel()
	var j journal
	var first *Entry
	for i := range 3*chunkSize + 1 {
		assert.Equal(t, i, j.len())
		j.add(Entry{Seq: int64(i)})
		if i == 0 {
			first = j.at(0)
		}
		assert.Equal(t, int64(i), j.at(i).Seq)
	}
	assert.Same(t, first, j.at(0))
	assert.Equal(t, int64(chunkSize), j.at(chunkSize).Seq)
}
