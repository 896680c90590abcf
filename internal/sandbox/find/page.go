package find

import (
	"cmp"
	"math/rand/v2"
)

// Page says which part of a list is wanted; its zero value means all of it, newest
// first.
type Page struct {
	Skip  int
	Limit int    // 0 means no limit
	By    string // what the list is ordered by, "" for when things came
	Up    bool   // the oldest or smallest first
}

func (p Page) window(n int) (from, to int) {
	from, to = min(p.Skip, n), n
	if p.Limit > 0 {
		to = min(from+p.Limit, n)
	}
	return from, to
}

// Places are where a page lies in a list of n that is ordered by when things came.
func (p Page) Places(n int) []int {
	from, to := p.window(n)
	places := make([]int, to-from)
	for i := range places {
		if places[i] = from + i; !p.Up {
			places[i] = n - 1 - from - i
		}
	}
	return places
}

// Key is what a list is ordered by: a text, or a number.
type Key struct {
	Text   string
	Number int64
}

func (k Key) compare(other Key) int {
	if k.Number != other.Number {
		return cmp.Compare(k.Number, other.Number)
	}
	return cmp.Compare(k.Text, other.Text)
}

// Take is a page of a list in which the newest is last. It is ordered by a key, and
// by when things came where keys are the same or there is none.
func Take[T any](all []T, p Page, key func(T) Key) []T {
	if key == nil {
		return At(all, p.Places(len(all)))
	}
	places := make([]place, len(all))
	for i, one := range all {
		places[i] = place{key(one), i}
	}
	before := func(a, b *place) bool {
		order := a.compare(b.Key)
		if order == 0 {
			return a.at > b.at
		}
		return (order < 0) == p.Up
	}
	from, to := p.window(len(all))
	settle(places, from, to, before)
	taken := make([]T, 0, to-from)
	for _, place := range places[from:to] {
		taken = append(taken, all[place.at])
	}
	return taken
}

type place struct {
	Key
	at int
}

// settle puts in their places those that belong between from and to, and spares
// itself the work of ordering the others.
func settle(list []place, from, to int, before func(a, b *place) bool) {
	for len(list) > 1 && from < len(list) && to > 0 {
		pivot := list[rand.IntN(len(list))]
		i, j := 0, len(list)-1
		for i <= j {
			for before(&list[i], &pivot) {
				i++
			}
			for before(&pivot, &list[j]) {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i, j = i+1, j-1
			}
		}
		settle(list[:j+1], from, to, before)
		list, from, to = list[i:], from-i, to-i
	}
}

// Choose are those of a list that takes accepts, in its order; nil accepts all.
func Choose[T any](all []T, takes func(T) bool) []T {
	if takes == nil {
		return all
	}
	var chosen []T
	for _, one := range all {
		if takes(one) {
			chosen = append(chosen, one)
		}
	}
	return chosen
}

// At are the entries of a list that have numbers.
func At[T any](all []T, numbers []int) []T {
	list := make([]T, len(numbers))
	for i, n := range numbers {
		list[i] = all[n]
	}
	return list
}
