package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// grown is what the benchmark of the order book's growth has measured: what a step
// costs in a database with so many orders.
type grown struct {
	bases, steps []string // in order of appearance
	sizes        map[string][]int
	costs        map[string]float64 // by base, step and size, in microseconds
}

var growthLine = regexp.MustCompile(`^BenchmarkGrowth/(\w+)/(\w+)/(\d+)-\d+\s.*?([\d.]+) µs`)

func readGrown(in io.Reader) (*grown, error) {
	g := &grown{sizes: map[string][]int{}, costs: map[string]float64{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := growthLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		base, step := m[1], strings.ReplaceAll(m[2], "_", " ")
		size, err := strconv.Atoi(m[3])
		if err != nil {
			return nil, err
		}
		cost, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(g.bases, base) {
			g.bases = append(g.bases, base)
		}
		if !slices.Contains(g.steps, step) {
			g.steps = append(g.steps, step)
		}
		if !slices.Contains(g.sizes[base], size) {
			g.sizes[base] = append(g.sizes[base], size)
		}
		g.costs[g.key(base, step, size)] = cost
	}
	if len(g.bases) == 0 {
		return nil, errors.Join(lines.Err(), errors.New("no benchmark of growth in the input"))
	}
	return g, lines.Err()
}

func (g *grown) key(base, step string, size int) string {
	return fmt.Sprintf("%s/%s/%d", base, step, size)
}

// ratio of a step to the smallest book of the same database.
func (g *grown) ratio(base, step string, size int) float64 {
	return g.costs[g.key(base, step, size)] / g.costs[g.key(base, step, g.sizes[base][0])]
}

// book prints a table of the growth, and draws it.
func book(in io.Reader, out io.Writer, svg string) error {
	g, err := readGrown(in)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("| |")
	for _, base := range g.bases {
		for i, size := range g.sizes[base] {
			if i == 0 {
				fmt.Fprintf(&b, " %s, %d orders |", base, size)
			} else {
				fmt.Fprintf(&b, " %d |", size)
			}
		}
	}
	b.WriteString("\n|---|")
	for _, base := range g.bases {
		b.WriteString(strings.Repeat("--:|", len(g.sizes[base])))
	}
	b.WriteString("\n")
	for _, step := range g.steps {
		fmt.Fprintf(&b, "| %s |", step)
		for _, base := range g.bases {
			for i, size := range g.sizes[base] {
				if g.costs[g.key(base, step, size)] == 0 {
					b.WriteString(" |")
				} else if i == 0 {
					fmt.Fprintf(&b, " %s |", duration(1000*g.costs[g.key(base, step, size)]))
				} else {
					fmt.Fprintf(&b, " %.2f |", g.ratio(base, step, size))
				}
			}
		}
		b.WriteString("\n")
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return os.WriteFile(svg, g.draw(), 0o644)
}

// draw has a line for each step, and on it a mark for each database: how much
// longer the step takes in its largest book than in its smallest.
func (g *grown) draw() []byte {
	const from, to, first, line, least, most = 170.0, 860.0, 60, 20, 0.5, 4.0
	high := first + line*len(g.steps) + 40
	x := func(ratio float64) float64 {
		return from + (to-from)*math.Log(min(max(ratio, least), most)/least)/math.Log(most/least)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">
<title>What the order book takes in its largest book, as a ratio to its smallest</title>
<rect width="%d" height="%d" fill="#fff"/>
`, width, high, width, high)
	for _, tick := range []float64{0.5, 0.7, 1, 1.2, 1.5, 2, 3, 4} {
		stroke := "#ddd"
		if tick == 1.2 {
			stroke = "#b3541e"
		}
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n",
			x(tick), first-14, x(tick), high-32, stroke, x(tick), high-14, tick)
	}
	fills := []string{"#0b6e4f", "#b3541e", "#34568b"}
	at := from
	for i, base := range g.bases {
		label := fmt.Sprintf("%s, %d to %d orders", base, g.sizes[base][0], g.sizes[base][len(g.sizes[base])-1])
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="20" r="4.5" fill="%s"/><text x="%.1f" y="24">%s</text>`+"\n", at, fills[i%len(fills)], at+10, label)
		at += 235
	}
	for n, step := range g.steps {
		y := first + line*n
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="end">%s</text>`+"\n", from-14, y+4, step)
		for i, base := range g.bases {
			sizes := g.sizes[base]
			if g.costs[g.key(base, step, sizes[len(sizes)-1])] == 0 {
				continue
			}
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%d" r="4.5" fill="%s" fill-opacity="0.8"/>`+"\n", x(g.ratio(base, step, sizes[len(sizes)-1])), y, fills[i%len(fills)])
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
