package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// catalogue is reference.zh-CN.txt: a text of the English reference, below it the
// same in Chinese, and an empty line. A link is the name in square brackets.
type catalogue struct {
	t       *testing.T
	words   map[string]string
	used    map[string]bool
	missing []string
}

func readCatalogue(t *testing.T) *catalogue {
	text, err := os.ReadFile("internal/house/reference.zh-CN.txt")
	require.NoError(t, err)
	c := &catalogue{t: t, words: map[string]string{}, used: map[string]bool{}}
	for pair := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		english, chinese, ok := strings.Cut(pair, "\n")
		require.True(t, ok && han(chinese) && !strings.Contains(chinese, "\n"), "%q has not one line of Chinese", english)
		require.NotContains(t, c.words, english)
		c.words[english] = chinese
	}
	return c
}

// check wants a Chinese text for everything, and nothing else.
func (c *catalogue) check(t *testing.T) {
	if len(c.missing) > 0 {
		t.Errorf("without Chinese in internal/house/reference.zh-CN.txt:\n\n%s", strings.Join(c.missing, "\n\n"))
	}
	for english := range c.words {
		assert.True(t, c.used[english], "internal/house/reference.zh-CN.txt: the reference does not say %q", english)
	}
}

var (
	refLink   = regexp.MustCompile("\\[`([^`]+)`\\]\\(#[^)]*\\)")
	bareLink  = regexp.MustCompile(`\[([^\]]+)\]`)
	codeSpan  = regexp.MustCompile("`[^`]*`")
	hasWords  = regexp.MustCompile(`[A-Za-z]{2}`)
	chineseOf = regexp.MustCompile(`^((?:IPS )?\p{Han}[\p{Han} ()]*)([.:,;]) (.+)$`)
	stops     = map[string]string{".": "。", ":": "：", ",": "，", ";": "；"}
)

// in is what the page says in its language.
func (r *reference) in(english, chinese string) string {
	if r.chinese == nil {
		return english
	}
	return chinese
}

// say is a text of the source in the language of the page. A Chinese term in front
// of it stays.
func (r *reference) say(text string) string {
	c := r.chinese
	if c == nil {
		return text
	}
	links := map[string]string{}
	key := refLink.ReplaceAllStringFunc(text, func(link string) string {
		name := refLink.FindStringSubmatch(link)[1]
		links[name] = link
		return "[" + name + "]"
	})
	if !hasWords.MatchString(strings.ReplaceAll(codeSpan.ReplaceAllString(bareLink.ReplaceAllString(key, ""), ""), "IPS", "")) {
		return text
	}
	chinese, ok := c.words[key]
	if !ok {
		if m := chineseOf.FindStringSubmatch(text); m != nil {
			return m[1] + stops[m[2]] + r.say(m[3])
		}
		if !slices.Contains(c.missing, key) {
			c.missing = append(c.missing, key)
		}
		return text
	}
	c.used[key] = true
	return bareLink.ReplaceAllStringFunc(chinese, func(name string) string {
		link := links[bareLink.FindStringSubmatch(name)[1]]
		assert.NotEmpty(c.t, link, "%s is no link of %q", name, key)
		return link
	})
}

// sayList does the same with the items of a list.
func (r *reference) sayList(list string) string {
	items := strings.Split(list, "\n")
	for i, item := range items {
		items[i] = "- " + r.say(strings.TrimPrefix(item, "- "))
	}
	return strings.Join(items, "\n")
}
