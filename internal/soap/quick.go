package soap

import (
	"strings"

	"github.com/ips-p2p/ips/internal/plainxml"
)

// quickResult reads a result in the form that ASMX writes it: envelope, body,
// response, result, text. It gives up at anything else, faults among it, right
// or wrong. What it takes, slowResponse takes too and reads the same; a fuzz
// test holds it to that.
func quickResult(doc, contentType, op string) (result string, ok bool) {
	if label := charsetOf(contentType); label != "" && label != "utf-8" {
		return "", false
	}
	r, ok := plainxml.NewReader(strings.TrimPrefix(doc, "\xEF\xBB\xBF"))
	if !ok {
		return "", false
	}
	path := [...]string{"Envelope", "Body", op + "Response", op + "Result"}
	var tags [len(path)]string
	for i, name := range path {
		if i > 0 {
			r.Space()
		}
		if tags[i], ok = start(&r, name); !ok {
			return "", false
		}
	}
	if result, ok = r.Text(); !ok {
		return "", false
	}
	for i := len(tags) - 1; i >= 0; i-- {
		if !r.End(tags[i]) {
			return "", false
		}
		r.Space()
	}
	return result, r.Rest() == ""
}

// start reads the start tag of the element with the local name, with whatever
// prefix and attributes, and returns its name as it stands there.
func start(r *plainxml.Reader, local string) (tag string, ok bool) {
	if !r.Skip("<") {
		return "", false
	}
	tag, name := qualified(r)
	if name != local {
		return "", false
	}
	for !r.Skip(">") {
		if !r.Skip(" ") {
			return "", false
		}
		if _, name := qualified(r); name == "" || !r.Skip(`="`) {
			return "", false
		}
		end := strings.IndexAny(r.Rest(), "\"<&\r\n\t")
		if end < 0 || !r.Skip(r.Rest()[:end]) || !r.Skip(`"`) {
			return "", false
		}
	}
	return tag, true
}

// qualified reads a name with or without a prefix.
func qualified(r *plainxml.Reader) (whole, local string) {
	rest := r.Rest()
	local = r.Name()
	if local != "" && r.Skip(":") {
		local = r.Name()
	}
	return rest[:len(rest)-len(r.Rest())], local
}
