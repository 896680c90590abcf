package codec

import (
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/xmltext"
)

// The oracle reads documents with encoding/xml, into a tree, and fills structs
// from it.

type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// check holds the tree to the rules of documents that are no rules of XML.
func (n *node) check(depth int) error {
	if depth > maxDepth || len(n.Children) > 0 && strings.TrimSpace(n.Text) != "" {
		return fmt.Errorf("<%s> is too deep or mixed", n.XMLName.Local)
	}
	for i := range n.Children {
		if err := n.Children[i].check(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func parseTree(doc string) (root node, err error) {
	d := xml.NewDecoder(strings.NewReader(doc))
	if err := d.Decode(&root); err != nil {
		return root, err
	}
	if strings.Contains(doc, "<!DOCTYPE") || root.XMLName.Local != "pReq" || strings.TrimSpace(root.Text) != "" {
		return root, errors.New("no document")
	}
	for {
		token, err := d.Token()
		data, isText := token.(xml.CharData)
		_, isComment := token.(xml.Comment)
		_, isProc := token.(xml.ProcInst)
		switch {
		case err == io.EOF:
			return root, root.check(1)
		case err != nil || !isComment && !isProc && (!isText || strings.TrimSpace(string(data)) != ""):
			return root, fmt.Errorf("more than the root: %v", err)
		}
	}
}

// fill stores the children in the fields that have their names.
func fill(children []node, v reflect.Value, path string, unknown *[]Element) error {
	var had []int
	for i := range children {
		c := &children[i]
		name := c.XMLName.Local
		fields := Fields(v.Type())
		at := slices.IndexFunc(fields, func(f Field) bool {
			return f.GoName != "_" && (f.Name == name || f.Alias != "" && f.Alias == name)
		})
		if at < 0 {
			leaves(c, path, unknown)
			continue
		}
		if slices.Contains(had, at) {
			return errors.New("twice")
		}
		had = append(had, at)
		f, fv := fields[at], v.FieldByIndex(fields[at].Index)
		if f.Row != "" {
			if strings.TrimSpace(c.Text) != "" {
				return errors.New("text where rows belong")
			}
			fv.Set(reflect.MakeSlice(f.Type, 0, 0))
			for j := range c.Children {
				if c.Children[j].XMLName.Local != f.Row {
					leaves(&c.Children[j], path+name+"/", unknown)
					continue
				}
				fv.Set(reflect.Append(fv, reflect.Zero(f.Type.Elem())))
				row := fmt.Sprintf("%s%s/%s[%d]/", path, name, f.Row, fv.Len())
				if strings.TrimSpace(c.Children[j].Text) != "" {
					return errors.New("text in a row")
				}
				if err := fill(c.Children[j].Children, fv.Index(fv.Len()-1), row, unknown); err != nil {
					return err
				}
			}
			continue
		}
		if len(c.Children) > 0 {
			return errors.New("elements where text belongs")
		}
		if err := set(fv, f, c.Text); err != nil {
			if fv.Kind() != reflect.Struct {
				return err
			}
			leaves(c, path, unknown)
		}
	}
	return nil
}

func set(fv reflect.Value, f Field, text string) error {
	own, ok := fv.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case text == "":
	case ok:
		if err := own.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		if fv.Kind() == reflect.Int64 && !f.Signed && fv.Int() < 0 {
			return errors.New("negative")
		}
	case fv.Kind() == reflect.Int:
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		fv.SetInt(int64(n))
	default:
		fv.SetString(text)
	}
	return nil
}

func leaves(n *node, path string, to *[]Element) {
	path += n.XMLName.Local
	if len(n.Children) == 0 {
		*to = append(*to, Element{path, n.Text})
	}
	for i := range n.Children {
		leaves(&n.Children[i], path+"/", to)
	}
}

// batch has rows as a transfer has them.
type batch struct {
	Order string     `ips:"pMerBillNo"`
	Rows  []transfer `ips:"pDetails,row=pRow"`
}

type transfer struct {
	Order   string `ips:"pOriMerBillNo"`
	From    string `ips:"pFAcctType,alias=pFAccType"`
	Account string `ips:"pFIpsAcctNo"`
	Time    hint   `ips:"pIpsDetailTime"`
	Message string `ips:"pMessage"`
}

// small is a struct that few documents fit.
type small struct {
	A string `ips:"a"`
	B string `ips:"b,alias=c"`
}

// agree reads a document both ways into a struct of each type and reports how
// many took it. Where the readers differ about XML itself is the business of
// the fuzz test of xmltext.
func agree(t *testing.T, doc string) (taken int) {
	t.Helper()
	x, err := xmltext.NewReader(doc, "")
	if err != nil {
		return 0
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[full](), reflect.TypeFor[batch](), reflect.TypeFor[small](), reflect.TypeFor[struct{}]()} {
		got := reflect.New(typ)
		d, err := Unmarshal(doc, got.Interface())
		if err != nil && strings.HasPrefix(err.Error(), "not XML") || len(d.Elements) == maxNames {
			return 0
		}
		want := reflect.New(typ)
		root, wantErr := parseTree(x.Rest())
		if wantErr != nil && strings.ContainsFunc(doc, func(r rune) bool { return r > '~' }) && strings.Contains(wantErr.Error(), "name") {
			return 0
		}
		elements, unknown := []Element{}, []Element(nil)
		if wantErr == nil {
			wantErr = fill(root.Children, want.Elem(), "", &unknown)
		}
		for i := range root.Children {
			c := &root.Children[i]
			if slices.ContainsFunc(elements, func(e Element) bool { return e.Name == c.XMLName.Local }) {
				wantErr = errors.New("twice")
			}
			e := Element{Name: c.XMLName.Local, Text: c.Text}
			if len(c.Children) > 0 {
				e.Text = ""
			}
			if at := slices.IndexFunc(Fields(typ), func(f Field) bool { return f.Name == e.Name && f.Row != "" }); at >= 0 {
				e.Text = "" // white space where rows belong
			}
			elements = append(elements, e)
		}
		if err != nil || wantErr != nil {
			require.Equal(t, wantErr == nil, err == nil, "%s: %v, encoding/xml: %v: %q", typ, err, wantErr, doc)
			continue
		}
		taken++
		require.Equal(t, want.Interface(), got.Interface(), "%s: %q", typ, doc)
		require.Equal(t, elements, d.Elements, "%q", doc)
		require.Equal(t, unknown, d.Unknown, "%q", doc)
	}
	return taken
}

// The documents of the platform are read as encoding/xml reads them.
func TestGoldensAgree(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/golden/*.xml")
	require.NoError(t, err)
	taken := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(doc), "<pReq>") {
			taken += agree(t, string(doc))
		}
	}
	assert.Greater(t, taken, 60)
}

func TestAgree(t *testing.T) {
	t.Parallel()
	for doc, taken := range map[string]int{
		exampleText:     4,
		`<pReq></pReq>`: 4,
		`<pReq/>`:       4,
		` <pReq> <a>1</a>` + "\n\t" + `<b/> </pReq> `:                                                              4,
		`<pReq><a>x&amp;&lt;<![CDATA[<&>]]>y<![CDATA[]]>&#65;</a></pReq>`:                                          4,
		`<x:pReq xmlns:x="y"><a b="c">1</a ></x:pReq>`:                                                             4,
		`<pReq><pDetails><pRow><x>1</x><x/><pSumm>0.01</pSumm></pRow><!-- --> <pRow></pRow><y/></pDetails></pReq>`: 4,
		`<pReq><pDetails> </pDetails></pReq>`:                                                                      4,
		`<pReq><pDetails>x</pDetails></pReq>`:                                                                      2,
		`<pReq><pHint>bad</pHint></pReq>`:                                                                          4,
		`<pReq><pSum>1</pSum></pReq>`:                                                                              3,
		`<pReq><pLess>-5</pLess></pReq>`:                                                                           3,
		`<pReq><pMore>-5</pMore></pReq>`:                                                                           4,
		`<pReq><b>1</b><c>1</c></pReq>`:                                                                            3,
		`<pReq><a>1</a><a>2</a></pReq>`:                                                                            0,
		`<pReq><a>x</a>y</pReq>`:                                                                                   0,
		`<pReq><a><x>1</x></a></pReq>`:                                                                             3,
		`<pReq><x>1<y/></x></pReq>`:                                                                                0,
		`<pReq><pDetails><pRow><pName><d/></pName></pRow></pDetails></pReq>`:                                       0,
		`<?xml version="1.0" encoding="GBK"?><pReq><a>` + "\xd5\xc5" + `</a></pReq>`:                               4,
	} {
		assert.Equal(t, taken, agree(t, doc), doc)
	}
}

// FuzzUnmarshal holds Unmarshal to encoding/xml.
func FuzzUnmarshal(f *testing.F) {
	f.Add(exampleText)
	f.Add(`<pReq><a/><b>]]&gt;</b><c>]]]]</c><d><e>1</e><e/></d></pReq>`)
	f.Add("\xEF\xBB\xBF<pReq> <a>𠀀</a>\t</pReq>")
	f.Add(`<?xml version="1.0" encoding="GB18030"?><pReq><a>` + "\xd5\xc5" + `</a></pReq>`)
	f.Add(`<pReq><pDetails><pRow><pSum>1.00</pSum><pSumm>1.00</pSumm></pRow><pRow><x/></pRow></pDetails><pHint>bad</pHint></pReq>`)
	f.Add(`<pReq><pCount>-1</pCount><pLess>-1</pLess><pDetails><!-- --><pX><pRow/></pX>&#32;</pDetails></pReq>`)
	f.Fuzz(func(t *testing.T, doc string) {
		agree(t, doc)
		_, err := Unmarshal(doc, new(struct{}))
		if _, other := Elements(doc); (err == nil) != (other == nil) {
			t.Fatalf("%q: %v, listed: %v", doc, err, other)
		}
	})
}

// An element and its other name are one field: two values for it are one too
// many.
func TestAliasBesideItsName(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`<pReq><b>1</b><c>0</c></pReq>`: "c stands twice",
		`<pReq><c>1</c><b>1</b></pReq>`: "b stands twice",
	} {
		_, err := Unmarshal(doc, new(small))
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrMalformed)
	}
	var v small
	_, err := Unmarshal(`<pReq><c>1</c></pReq>`, &v)
	require.NoError(t, err)
	assert.Equal(t, "1", v.B)
}
