package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const grownText = `BenchmarkGrowth/SQLite/record/10000-2  1  1.000 ratio  400.0 µs
BenchmarkGrowth/SQLite/record/1000000-2  1  1.100 ratio  440.0 µs
BenchmarkGrowth/SQLite/open_orders/10000-2  1  1.000 ratio  1000 µs
BenchmarkGrowth/SQLite/open_orders/1000000-2  1  1.500 ratio  1500 µs
BenchmarkGrowth/PostgreSQL/record/10000-2  1  1.000 ratio  500.0 µs
BenchmarkGrowth/PostgreSQL/record/20000-2  1  9.000 ratio  4500 µs
`

func TestBook(t *testing.T) {
	t.Parallel()
	svg := filepath.Join(t.TempDir(), "book.svg")
	var out bytes.Buffer
	require.NoError(t, book(strings.NewReader(grownText), &out, svg))
	assert.Equal(t, `| | SQLite, 10000 orders | 1000000 | PostgreSQL, 10000 orders | 20000 |
|---|--:|--:|--:|--:|
| record | 400.0 µs | 1.10 | 500.0 µs | 9.00 |
| open orders | 1.0 ms | 1.50 | | |
`, out.String())
	picture, err := os.ReadFile(svg)
	require.NoError(t, err)
	circles := 0
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	assert.Equal(t, 5, circles, "two in the legend, three on the lines")
	require.Error(t, book(strings.NewReader(""), io.Discard, svg))
	require.Error(t, book(strings.NewReader(grownText), io.Discard, filepath.Join(t.TempDir(), "none", "x.svg")))
}
