package codec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// agree compares the short way with encoding/xml: what the short way takes,
// encoding/xml must take too, and read the same.
func agree(t *testing.T, doc []byte) (taken bool) {
	t.Helper()
	flat, ok := parseFlat(doc)
	if !ok {
		return false
	}
	full, err := parseXML(doc, true)
	require.NoError(t, err, "only the short way takes it")
	require.Equal(t, normal(full), normal(flat))
	return true
}

// normal makes no difference between no children and none.
func normal(e Element) Element {
	children := e.Children
	e.Children = nil
	for _, c := range children {
		e.Children = append(e.Children, normal(c))
	}
	return e
}

// The documents that the platform writes take the short way.
func TestFlatTakesTheUsual(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/golden/*.xml")
	require.NoError(t, err)
	taken := 0
	for _, file := range files {
		if strings.Contains(file, "soap") || strings.Contains(file, "query") {
			continue
		}
		doc, err := os.ReadFile(file)
		require.NoError(t, err)
		doc, _, err = stripBOM(doc)
		require.NoError(t, err)
		if agree(t, doc) {
			taken++
		} else {
			t.Log("not taken:", file)
		}
	}
	assert.Greater(t, taken, 30)
}

func TestFlatAgrees(t *testing.T) {
	t.Parallel()
	for doc, taken := range map[string]bool{
		`<pReq></pReq>`: true,
		` <pReq> <a>1</a>` + "\n\t" + `<b/> </pReq> `:                                  true,
		`<pReq><a>x&amp;&lt;&gt;&quot;&apos;y</a></pReq>`:                              true,
		`<pReq><a>x<![CDATA[<&>]]>y<![CDATA[]]></a></pReq>`:                            true,
		`<pReq><a><![CDATA[]]]]><![CDATA[>]]></a></pReq>`:                              true,
		`<pReq><pDetails><pRow><a>1</a></pRow><pRow><a>2</a></pRow></pDetails></pReq>`: true,
		`<pReq><pDetails/></pReq>`:                                                     true,
		`<pReq>𠀀😀</pReq>`:                                                              true,
		`<pReq>]]</pReq>`:                                                              true,
		// Left to encoding/xml, whatever it says.
		`<pReq><a>]]></a></pReq>`:             false,
		`<pReq><a>x</a>y</pReq>`:              false,
		`<pReq><a>1</a><a>2</a></pReq>`:       false,
		`<pReq><a b="c">1</a></pReq>`:         false,
		`<pReq><a >1</a></pReq>`:              false,
		`<pReq><a>1</a ></pReq>`:              false,
		`<pReq><!-- c --></pReq>`:             false,
		`<pReq>&#65;</pReq>`:                  false,
		`<pReq>&x;</pReq>`:                    false,
		`<pReq>a` + "\r\n" + `</pReq>`:        false,
		`<pReq>` + "\x01" + `</pReq>`:         false,
		`<pReq>` + "\xff" + `</pReq>`:         false,
		"<pReq>\uFFFE</pReq>":                 false,
		`<pReq></preq>`:                       false,
		`<pReq>`:                              false,
		`<pReq/>`:                             false,
		`<pReq></pReq><pReq></pReq>`:          false,
		`<!DOCTYPE x><pReq></pReq>`:           false,
		`<?xml version="1.0"?><pReq></pReq>`:  false,
		`<x:pReq></x:pReq>`:                   false,
		`<a><b><c><d><e></e></d></c></b></a>`: false,
		``:                                    false,
	} {
		assert.Equal(t, taken, agree(t, []byte(doc)), doc)
	}
}

// FuzzFlat holds the short way to encoding/xml.
func FuzzFlat(f *testing.F) {
	f.Add([]byte(header + `<pReq><a>1</a><b><![CDATA[x]]></b><pDetails><pRow><c>&amp;</c></pRow></pDetails></pReq>`))
	f.Add([]byte(`<pReq><a/>]]&gt;<b>]]]]</b></pReq>`))
	f.Add([]byte(`<pReq> <a>𠀀</a>` + "\t" + `</pReq>`))
	f.Fuzz(func(t *testing.T, doc []byte) { agree(t, doc) })
}

// An element and its other name are one field: two values for it are one too
// many.
func TestAliasBesideItsName(t *testing.T) {
	t.Parallel()
	var v struct {
		Type string `ips:"pFAcctType,alias=pFAccType"`
	}
	for _, doc := range []string{
		`<pReq><pFAcctType>1</pFAcctType><pFAccType>0</pFAccType></pReq>`,
		`<pReq><pFAccType>1</pFAccType><pFAcctType>1</pFAcctType></pReq>`,
	} {
		elements, err := Parse([]byte(doc))
		require.NoError(t, err)
		_, err = Unmarshal(elements, &v)
		require.ErrorIs(t, err, ErrMalformed, doc)
	}
	elements, err := Parse([]byte(`<pReq><pFAccType>1</pFAccType></pReq>`))
	require.NoError(t, err)
	_, err = Unmarshal(elements, &v)
	require.NoError(t, err)
	assert.Equal(t, "1", v.Type)
}
