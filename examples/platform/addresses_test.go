package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Programs outside of this repository use the site by its addresses and the names
// of its fields: what stands in testdata/addresses.txt stays.
func TestAddresses(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/addresses.txt")
	require.NoError(t, err)
	w := newWorld(t, sqliteFile(t))
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		r := httptest.NewRequest(words[0], regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(words[1], "X"), nil)
		_, pattern := w.app.Handler(r)
		assert.NotEmpty(t, pattern, line)
		assert.True(t, strings.HasPrefix(pattern, words[0]+" "), "%s is served by %q", line, pattern)
	}
}

// fieldsOf are the fields that the list names for an address.
func fieldsOf(t testing.TB, method, path string) []string {
	data, err := os.ReadFile("testdata/addresses.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != method {
			continue
		}
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(words[1]), "[^/]+") + "$")
		if pattern.MatchString(path) {
			return words[2:]
		}
	}
	return nil
}

// checkForm holds a form that a test presses against the list.
func (p *person) checkForm(action string, names []string) {
	want := fieldsOf(p.w.t, http.MethodPost, action)
	for _, name := range want {
		optional := strings.HasSuffix(name, "?")
		assert.True(p.w.t, optional || slices.Contains(names, name), "the form to %s has no field %s: %v", action, name, names)
	}
	assert.NotEmpty(p.w.t, want, "%s is not on the list", action)
}
