// Command capacity is the arithmetic of a busy day: what a platform's orders ask of
// its database, of IPS and of the order book, and which limit is reached first.
//
//	go run ./examples/capacity -members 1000000 -commits 5000
//
// The statements of an order are those that the order book's tests count on MySQL;
// everything else is an assumption of yours.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

// day is what is assumed.
type day struct {
	members, orders, pages, abandoned, unanswered, copies, peak float64
	hours, commits, queries                                     float64
}

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		os.Exit(2)
	}
}

func run(w io.Writer, args []string) error {
	var d day
	flags := flag.NewFlagSet("capacity", flag.ContinueOnError)
	for _, f := range []struct {
		to          *float64
		name, usage string
		value       float64
	}{
		{&d.members, "members", "members who come on that day", 200_000},
		{&d.orders, "orders", "orders of each", 3},
		{&d.pages, "pages", "share of the orders that a user carries through a page of IPS", 0.8},
		{&d.abandoned, "abandoned", "share of the pages that nobody ends", 0.2},
		{&d.unanswered, "unanswered", "share of the calls of the server whose answer is lost", 0.001},
		{&d.copies, "copies", "copies of an answer: web return, notification and its repetitions", 1.5},
		{&d.peak, "peak", "share of the day in its busiest hours", 0.5},
		{&d.hours, "hours", "the busiest hours", 2},
		{&d.commits, "commits", "durable commits a second that your database does", 2_000},
		{&d.queries, "queries", "trade queries a second that IPS allows", 10},
	} {
		flags.Float64Var(f.to, f.name, f.value, f.usage)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := d.members * d.orders
	page, direct := all*d.pages, all*(1-d.pages)
	gone := page * d.abandoned
	heard := page - gone + direct
	// Not found after half an hour and once more when the page's life is over; a
	// call that was not answered takes one question.
	asked := 2*gone + direct*d.unanswered
	lines := []struct {
		what  string
		n     float64
		limit float64 // a second
	}{
		{"orders recorded", all, 0},
		{"pages shown", page, 0},
		{"calls of the server", direct, 0},
		{"answers heard for the first time", heard, 0},
		{"copies", heard * d.copies, 0},
		// record, form, the two of a sending, an answer to a page, each question
		{"durable commits", all + page + 2*direct + (page - gone) + asked, d.commits},
		{"statements", 3*all + 6*page + 13*direct + 8*(page-gone) + heard*d.copies + 6*asked, 0},
		{"trade queries", asked, d.queries},
	}
	first, least := "", 0.0
	for _, l := range lines {
		second := l.n * d.peak / (d.hours * 3600)
		fmt.Fprintf(w, "| %s | %.0f | %.1f |\n", l.what, l.n, second)
		if l.limit > 0 && second > 0 && (first == "" || l.limit/second < least) {
			first, least = l.what, l.limit/second
		}
	}
	if first != "" {
		fmt.Fprintf(w, "\nThe first limit is that of the %s, at %.1f times this day.\n", first, least)
	}
	return nil
}
