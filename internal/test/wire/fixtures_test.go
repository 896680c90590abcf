package wire_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
)

var update = flag.Bool("update", false, "rewrite the golden files and the tables of docs/attacks.md")

// goldens is the folder of the messages that the contract is held to. The SDK's
// own tests take their examples from it.
const goldens = "../../../testdata/golden"

// golden compares got with a file, byte by byte.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join(goldens, name)
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// goldenJSON is golden for a recorded message.
func goldenJSON(t *testing.T, name string, recorded []byte) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, json.Indent(&text, recorded, "", "  "))
	golden(t, name, append(text.Bytes(), '\n'))
}

func httpClient(rt http.RoundTripper) *http.Client { return &http.Client{Transport: rt} }

// showOutcome is the page of a merchant's return handler.
func showOutcome(w http.ResponseWriter, _ *http.Request, resp ips.Response, err error) {
	_, _ = io.WriteString(w, resp.Base().Outcome.String())
	if err != nil {
		_, _ = io.WriteString(w, ", not recorded")
	}
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// taggedSign signs the answer to a query as merchants' programs compute it: MD5
// over the elements with their tags, without those that are left out, and the
// cert.
func taggedSign(document string, without ...string) string {
	var signed strings.Builder
	name := ""
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			break // the end; what is no XML gets a signature that does not hold
		}
		switch x := token.(type) {
		case xml.StartElement:
			name = x.Name.Local
		case xml.CharData:
			if name != "pSign" && !slices.Contains(without, name) {
				signed.WriteString("<" + name + ">" + string(x) + "</" + name + ">")
			}
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(signed.String()+ips.TestMerchant().Cert.Reveal()), 1)
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// set stores value in the field at path, e.g. "Rows[1].Amount", of the struct
// that request points to.
func set(t testing.TB, request any, path string, value any) {
	t.Helper()
	v := reflect.ValueOf(request).Elem()
	for name := range strings.SplitSeq(path, ".") {
		name, index, isRow := strings.Cut(name, "[")
		v = v.FieldByName(name)
		require.True(t, v.IsValid(), path)
		if isRow {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			require.NoError(t, err)
			v = v.Index(i)
		}
	}
	v.Set(reflect.ValueOf(value).Convert(v.Type()))
}

// with is a list of fields and the values they get.
type with []any

func (w with) apply(t testing.TB, request any) {
	t.Helper()
	for pair := range slices.Chunk(w, 2) {
		set(t, request, pair[0].(string), pair[1])
	}
}
