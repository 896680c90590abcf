package ledger

// journal is a list of entries that never moves them: a slice would now and
// then copy a million to make room for one more, and the operation that met with
// it would take as long as many thousand others.
type journal struct {
	chunks [][]Entry
	n      int
}

const chunkSize = 512

func (j *journal) len() int { return j.n }

// at is entry i, from 0.
func (j *journal) at(i int) *Entry { return &j.chunks[i/chunkSize][i%chunkSize] }

func (j *journal) add(e Entry) {
	if j.n%chunkSize == 0 {
		j.chunks = append(j.chunks, make([]Entry, 0, chunkSize))
	}
	last := &j.chunks[len(j.chunks)-1]
	*last = append(*last, e)
	j.n++
}
