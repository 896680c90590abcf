package image_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/image"
)

type shape interface{ area() int64 }

type square struct {
	side int64
	at   *node
}

func (s *square) area() int64 { return s.side * s.side }

type dot struct{ name string }

func (dot) area() int64 { return 0 }

type node struct {
	name   string
	next   *node // leads round in circles
	shapes []shape
	places map[[2]string]*node
	when   time.Time
	sum    [4]byte
	n      int
	yes    bool
	table  *table
	lines  [][]string
}

type table struct{ do func() }

var (
	known = &table{func() {}}
	china = time.FixedZone("CST", 8*60*60)
)

func coder(t *testing.T) *image.Coder {
	t.Helper()
	c, err := image.New(node{}, []any{&square{}, dot{}}, map[string]any{"known": known, "China": china})
	require.NoError(t, err)
	return c
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	shared := []string{"甲", "乙", strings.Repeat("长", 100), "甲"}
	one := &node{name: "one", when: time.Date(2014, 11, 24, 12, 0, 0, 5, china), sum: [4]byte{1, 2, 3, 4}, n: -7, yes: true, table: known}
	two := &node{name: "two", next: one, when: time.Unix(1, 2).UTC(), lines: [][]string{shared, {}, nil, shared}}
	one.next = two
	one.shapes = []shape{&square{3, two}, dot{"d"}, nil}
	one.places = map[[2]string]*node{{"a", "b"}: one, {"", "c"}: nil}
	c := coder(t)
	var b bytes.Buffer
	require.NoError(t, c.Write(&b, one))
	var got node
	require.NoError(t, c.Read(bytes.NewReader(b.Bytes()), int64(b.Len()), &got))

	// What is written is pointed at, so that the first one is a copy.
	second := got.next
	first := second.next
	assert.Equal(t, "two", second.name)
	assert.Same(t, second, first.next)
	assert.Equal(t, one, first)
	assert.Same(t, known, first.table)
	assert.Same(t, second, first.shapes[0].(*square).at)
	assert.Equal(t, []int64{9, 0}, []int64{first.shapes[0].area(), first.shapes[1].area()})
	assert.Same(t, first, first.places[[2]string{"a", "b"}])
	assert.Same(t, &second.lines[0][0], &second.lines[3][0], "one slice stays one")
	assert.NotNil(t, second.lines[1])
	assert.Nil(t, second.lines[2])
	assert.True(t, first.when.Equal(one.when))
	assert.Equal(t, one.when.Format(time.RFC3339), first.when.Format(time.RFC3339))

	for at := range b.Len() { // wherever it is cut off
		var cut node
		require.Error(t, c.Read(bytes.NewReader(b.Bytes()[:at]), int64(at), &cut))
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	_, err := image.New(struct{ f func() }{}, nil, nil)
	require.ErrorContains(t, err, "a value of type func() cannot be written")
	c := coder(t)
	var b bytes.Buffer
	for want, n := range map[string]*node{
		"which is not on the list": {shapes: []shape{foreign{}}},
		"that has no name":         {table: &table{}},
		"a time of elsewhere":      {when: time.Date(2014, 11, 24, 12, 0, 0, 0, time.FixedZone("elsewhere", 60))},
		"values nest too deep":     chain(2000),
	} {
		require.ErrorContains(t, c.Write(&b, n), want)
	}
	require.Error(t, c.Write(&b, &dot{}))
	require.Error(t, c.Read(&b, 0, &dot{}))
}

type foreign struct{ dot }

func chain(n int) *node {
	var last *node
	for range n {
		last = &node{next: last}
	}
	return last
}

func TestSchema(t *testing.T) {
	t.Parallel()
	assert.Equal(t, coder(t).Schema(), coder(t).Schema())
	type one struct{ A string }
	type other struct{ B string }
	c, err := image.New(one{}, nil, nil)
	require.NoError(t, err)
	d, err := image.New(other{}, nil, nil)
	require.NoError(t, err)
	assert.NotEqual(t, c.Schema(), d.Schema())
}
