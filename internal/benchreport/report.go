package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// report is what the benchmarks measured.
type report struct {
	cases  []string             // in order of appearance, e.g. "Seal/1KB"
	values map[string][]float64 // by "case/part unit", e.g. "Seal/1KB/sdk ns/op"
	runs   int                  // most values of any
}

// read takes the lines of benchmarks out of what go test prints.
func read(in io.Reader) (*report, error) {
	r := &report{values: map[string][]float64{}}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of processors
			name = name[:i]
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 || !slices.Contains([]string{"sdk", "floor", "ratio"}, name[i+1:]) {
			continue
		}
		if c := name[:i]; !slices.Contains(r.cases, c) {
			r.cases = append(r.cases, c)
		}
		for ; len(fields) >= 4; fields = slices.Delete(fields, 2, 4) {
			v, err := strconv.ParseFloat(fields[2], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			key := name + " " + fields[3]
			r.values[key] = append(r.values[key], v)
			r.runs = max(r.runs, len(r.values[key]))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(r.cases) == 0 {
		return nil, errors.New("no benchmarks in the input")
	}
	return r, nil
}

// median of the values, 0 if there are none.
func (r *report) median(key string) float64 {
	v := slices.Sorted(slices.Values(r.values[key]))
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}

// ratio of a case to the floor: measured in turn where that was done, else of
// the medians.
func (r *report) ratio(c string) float64 {
	if m := r.median(c + "/ratio x-floor"); m > 0 {
		return m
	}
	if floor := r.median(c + "/floor ns/op"); floor > 0 {
		return r.median(c+"/sdk ns/op") / floor
	}
	return 0
}

func (r *report) table(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d.\n\n", r.runs)
	b.WriteString("| case | SDK | floor | ratio to the floor | B/op | allocs/op |\n|---|--:|--:|--:|--:|--:|\n")
	for _, c := range r.cases {
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %.0f | %.0f |\n", strings.ReplaceAll(c, "/", " "),
			duration(r.median(c+"/sdk ns/op")), duration(r.median(c+"/floor ns/op")), r.ratio(c),
			r.median(c+"/sdk B/op"), r.median(c+"/sdk allocs/op"))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func duration(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	default:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
}

// series is the cost of one step along the number of rows.
type series struct {
	name   string
	dashed bool
	points []point
}

type point struct{ rows, ns float64 }

var transferCase = regexp.MustCompile(`^(Seal|Open)/transfer([0-9]+)$`)

// growth is the cost of sealing and opening transfers, and of their floors.
func (r *report) growth() []series {
	all := []series{{name: "seal"}, {name: "open"}, {name: "floor of seal", dashed: true}, {name: "floor of open", dashed: true}}
	for _, c := range r.cases {
		m := transferCase.FindStringSubmatch(c)
		if m == nil {
			continue
		}
		rows, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			continue
		}
		at := 0
		if m[1] == "Open" {
			at = 1
		}
		all[at].points = append(all[at].points, point{rows, r.median(c + "/sdk ns/op")})
		all[at+2].points = append(all[at+2].points, point{rows, r.median(c + "/floor ns/op")})
	}
	for i := range all {
		slices.SortFunc(all[i].points, func(a, b point) int { return int(a.rows - b.rows) })
	}
	return all
}
