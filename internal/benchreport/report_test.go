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

const printed = `goos: linux
BenchmarkSeal/1KB/sdk-2     	   10000	     41000 ns/op	  16.78 MB/s	    5744 B/op	      32 allocs/op
BenchmarkSeal/1KB/sdk-2     	   10000	     43000 ns/op	  16.78 MB/s	    5744 B/op	      32 allocs/op
BenchmarkSeal/1KB/floor-2   	   10000	     30000 ns/op	     104 B/op	       4 allocs/op
BenchmarkSeal/1KB/ratio-2   	   10000	     70000 ns/op	     1.200 x-floor
BenchmarkSeal/transfer1/sdk-2 	 10	 100000 ns/op
BenchmarkSeal/transfer1/floor-2 	 10	 50000 ns/op
BenchmarkSeal/transfer3000/sdk-2 	 10	 30000000 ns/op
BenchmarkSeal/transfer3000/floor-2 	 10	 25000000 ns/op
BenchmarkOpen/transfer3000/sdk-2 	 10	 30000000 ns/op
BenchmarkOpen/transfer3000/floor-2 	 10	 60000000 ns/op
BenchmarkOpen/transfer1/sdk-2 	 10	 100000 ns/op
BenchmarkOpen/transfer1/floor-2 	 10	 50000 ns/op
BenchmarkOther-2 	 10	 50000 ns/op
BenchmarkOther/case=1-2 	 10	 50000 ns/op
PASS
`

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	svg := filepath.Join(t.TempDir(), "growth.svg")
	require.NoError(t, run(strings.NewReader(printed), &out, svg))
	assert.Equal(t, `Medians of 2.

| case | SDK | floor | ratio to the floor | B/op | allocs/op |
|---|--:|--:|--:|--:|--:|
| Seal 1KB | 42.0 µs | 30.0 µs | 1.20 | 5744 | 32 |
| Seal transfer1 | 100.0 µs | 50.0 µs | 2.00 | 0 | 0 |
| Seal transfer3000 | 30.0 ms | 25.0 ms | 1.20 | 0 | 0 |
| Open transfer3000 | 30.0 ms | 60.0 ms | 0.50 | 0 | 0 |
| Open transfer1 | 100.0 µs | 50.0 µs | 2.00 | 0 | 0 |
`, out.String())

	picture, err := os.ReadFile(svg)
	require.NoError(t, err)
	d := xml.NewDecoder(bytes.NewReader(picture))
	lines := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	assert.Equal(t, 8, lines, "four in each panel")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                  "no benchmarks in the input",
		"BenchmarkA/b/sdk-2 1 x ns/op\n":    `"BenchmarkA/b/sdk-2 1 x ns/op": strconv.ParseFloat: parsing "x": invalid syntax`,
		"BenchmarkSeal/1KB/sdk 1 2 ns/op\n": "no growth to draw: run the benchmarks of Seal and Open",
	} {
		require.EqualError(t, run(strings.NewReader(in), io.Discard, filepath.Join(t.TempDir(), "x.svg")), want)
	}
	require.Error(t, run(strings.NewReader(printed), io.Discard, filepath.Join(t.TempDir(), "none", "x.svg")))
}

func TestCeiling(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 3: 4, 45: 60, 61: 80, 99: 100, 0.5: 0.6} {
		assert.InDelta(t, want, ceiling(v), 1e-9, v)
	}
}
