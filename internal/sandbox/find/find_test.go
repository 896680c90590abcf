package find_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/stretchr/testify/assert"
)

// Find must agree with a look at every entry, in blocks that are full, in the one
// that is not, in an entry longer than a block, and in entries with several records.
func TestFind(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var x find.Index
	words, amounts := make([]string, 3000), make([][]int64, 3000)
	add := func(i int, amount int64, word string) {
		x.Add(i, amount, word)
		words[i], amounts[i] = words[i]+word+"\n", append(amounts[i], amount)
	}
	for i := range words {
		assert.Equal(t, i, x.Next())
		add(i, int64(r.IntN(300)), fmt.Sprintf("R%06d，%d", i*7, r.IntN(1e9)))
		if i%50 == 0 {
			add(r.IntN(i+1), 0, "放款失败")
		}
	}
	long := ""
	for i := range 2000 {
		long += fmt.Sprintf("<pOrder>C%06d</pOrder>", i)
	}
	add(1234, 0, long)
	add(17, 5, "last")
	for _, text := range []string{"", "R", "R0", "R00", "R000", "R000007", "R020993", "C001999", "C002000", "77", "777", "放款", "败", "last", "0.05", "1.20", "2", "nowhere", "zz", "\x00"} {
		var want []int
		for i := range words {
			if strings.Contains(words[i], text) || find.AmountOf(text) > 0 && slices.Contains(amounts[i], find.AmountOf(text)) {
				want = append(want, i)
			}
		}
		assert.Equal(t, want, x.Find(text), text)
	}
	x.Forget(1500)
	assert.Empty(t, slices.DeleteFunc(x.Find("R000007"), func(i int) bool { return i >= 1500 }))
	assert.Equal(t, []int{2999}, x.Find("R020993"))
	assert.Equal(t, 3000, x.Next())
}

// Whatever somebody types is found where it is, and nowhere else.
func FuzzFind(f *testing.F) {
	var x find.Index
	words := make([]string, 500)
	for i := range words {
		words[i] = fmt.Sprintf("R%05d，充值成功 %x", i*37, i*i*7919)
		x.Add(i, 0, words[i])
	}
	for _, seed := range []string{"", "R0", "R00037", "充值", "\xe5\x85", "ff", "，"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\n") {
			return // words are told apart by it
		}
		var want []int
		for i, w := range words {
			if strings.Contains(w, text) {
				want = append(want, i)
			}
		}
		if got := x.Find(text); !slices.Equal(want, got) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}

func TestAmountOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"300": 300_00, "300.00": 300_00, "1,000.00": 1000_00, "0.05": 5, "0": 0,
		"": -1, "3.0": -1, "3.000": -1, "-3": -1, "007": -1, "R1": -1, "4021000000000001": -1, "1e3": -1, "3.x1": -1,
	} {
		assert.Equal(t, want, find.AmountOf(text), text)
	}
}

// Take must agree with a list that is sorted as a whole.
func TestTake(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	type entry struct {
		at, amount int
		name       string
	}
	keys := map[string]func(entry) find.Key{
		"":       nil,
		"amount": func(e entry) find.Key { return find.Key{Number: int64(e.amount)} },
		"name":   func(e entry) find.Key { return find.Key{Text: e.name} },
	}
	for _, n := range []int{0, 1, 2, 50, 300} {
		all := make([]entry, n)
		for i := range all {
			all[i] = entry{i, r.IntN(40), fmt.Sprint(r.IntN(9))}
		}
		for by, key := range keys {
			for _, up := range []bool{false, true} {
				want := slices.Clone(all)
				slices.SortFunc(want, func(a, b entry) int {
					order := map[string]int{"": a.at - b.at, "amount": a.amount - b.amount, "name": strings.Compare(a.name, b.name)}[by]
					if !up {
						order = -order
					}
					return cmp.Or(order, b.at-a.at)
				})
				for _, p := range []find.Page{{}, {Limit: 10}, {Skip: 7, Limit: 10}, {Skip: 295, Limit: 10}, {Skip: 1000, Limit: 10}, {Skip: 3}} {
					p.By, p.Up = by, up
					part := want[min(p.Skip, n):]
					if p.Limit > 0 {
						part = part[:min(p.Limit, len(part))]
					}
					assert.Equal(t, slices.Clip(append([]entry{}, part...)), find.Take(all, p, key), "%d %+v", n, p)
				}
			}
		}
	}
}
