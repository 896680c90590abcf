package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// The picture has two panels: the time along the rows, which is straight if
// cost is linear, and the time for each row, which falls to a level and shows
// any knee.
const (
	width, height = 900, 360
	top, bottom   = 40, 310
	leftFrom      = 70
	leftTo        = 430
	rightFrom     = 530
	rightTo       = 880
)

var colours = []string{"#0b6e4f", "#b3541e", "#0b6e4f", "#b3541e"}

func draw(all []series) ([]byte, error) {
	most, fewest := 0.0, math.Inf(1)
	slowest, dearest := 0.0, 0.0
	for _, s := range all {
		if len(s.points) < 2 {
			return nil, errors.New("no growth to draw: run the benchmarks of Seal and Open")
		}
		for _, p := range s.points {
			most, fewest = max(most, p.rows), min(fewest, p.rows)
			slowest, dearest = max(slowest, p.ns), max(dearest, p.ns/p.rows)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">
<title>Cost of sealing and opening a transfer by its number of rows</title>
<rect width="%d" height="%d" fill="#fff"/>
`, width, height, width, height)

	left := panel{&b, leftFrom, leftTo, "milliseconds", "rows", 1e6, ceiling(slowest / 1e6), func(rows float64) float64 { return rows / most }}
	left.frame([]float64{0, most / 3, most * 2 / 3, most})
	right := panel{&b, rightFrom, rightTo, "microseconds for each row", "rows, logarithmic", 1e3, ceiling(dearest / 1e3),
		func(rows float64) float64 { return math.Log(rows/fewest) / math.Log(most/fewest) }}
	var ticks []float64
	for _, p := range all[0].points {
		ticks = append(ticks, p.rows)
	}
	right.frame(ticks)
	for i, s := range all {
		left.line(s, colours[i], func(p point) float64 { return p.ns })
		right.line(s, colours[i], func(p point) float64 { return p.ns / p.rows })
		x, y := leftFrom+14, top+16+i*16
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="2"%s/><text x="%d" y="%d">%s</text>`+"\n",
			x, y-4, x+26, y-4, colours[i], dashes(s), x+32, y, s.name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// panel is a diagram from x0 to x1.
type panel struct {
	b            *bytes.Buffer
	x0, x1       float64
	title, below string
	unit         float64 // nanoseconds of the upright axis' unit
	high         float64 // its end
	across       func(rows float64) float64
}

func (p panel) x(rows float64) float64 { return p.x0 + (p.x1-p.x0)*p.across(rows) }
func (p panel) y(value float64) float64 {
	return bottom - (bottom-top)*value/p.high
}

func (p panel) frame(ticks []float64) {
	fmt.Fprintf(p.b, `<text x="%g" y="%d" font-weight="bold">%s</text>`+"\n", p.x0, top-16, p.title)
	for i := range 5 {
		v := p.high * float64(i) / 4
		fmt.Fprintf(p.b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#ddd"/><text x="%g" y="%.1f" text-anchor="end">%g</text>`+"\n",
			p.x0, p.y(v), p.x1, p.y(v), p.x0-6, p.y(v)+4, v)
	}
	for _, rows := range ticks {
		fmt.Fprintf(p.b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", p.x(rows), bottom+18, rows)
	}
	fmt.Fprintf(p.b, `<text x="%g" y="%d" text-anchor="middle">%s</text>`+"\n", (p.x0+p.x1)/2, bottom+36, p.below)
}

func (p panel) line(s series, colour string, value func(point) float64) {
	fmt.Fprintf(p.b, `<polyline fill="none" stroke="%s" stroke-width="2"%s points="`, colour, dashes(s))
	for _, at := range s.points {
		fmt.Fprintf(p.b, "%.1f,%.1f ", p.x(at.rows), p.y(value(at)/p.unit))
	}
	p.b.WriteString("\"/>\n")
	if s.dashed {
		return
	}
	for _, at := range s.points {
		fmt.Fprintf(p.b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", p.x(at.rows), p.y(value(at)/p.unit), colour)
	}
}

func dashes(s series) string {
	if s.dashed {
		return ` stroke-dasharray="5 4"`
	}
	return ""
}

// ceiling is the next round number, one that four steps divide well.
func ceiling(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 6, 8, 10} {
		if v <= n*unit {
			return n * unit
		}
	}
	return 10 * unit
}
