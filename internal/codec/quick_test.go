package codec

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/plainxml"
)

// batch has rows as a transfer has them.
type batch struct {
	Order string     `ips:"pMerBillNo"`
	Rows  []transfer `ips:"pDetails,row=pRow"`
}

type transfer struct {
	Order   string `ips:"pOriMerBillNo"`
	Sum     string `ips:"pTrdAmt"`
	From    string `ips:"pFAcctType,alias=pFAccType"`
	Account string `ips:"pFIpsAcctNo"`
	Fee     string `ips:"pFTrdFee"`
	To      string `ips:"pTIpsAcctNo"`
	ToFee   string `ips:"pTTrdFee"`
	BillNo  string `ips:"pIpsDetailBillNo"`
	Time    hint   `ips:"pIpsDetailTime"`
	IPSFee  string `ips:"pIpsFee"`
	Status  string `ips:"pStatus"`
	Message string `ips:"pMessage"`
}

// small is a struct that few documents fit.
type small struct {
	A string `ips:"a"`
	B string `ips:"b,alias=c"`
}

// agree reads a document both ways into a struct of each type: what the short
// way takes, the long way must take too, and read the same. It reports how many
// of the types the short way took it for.
func agree(t *testing.T, doc string) (taken int) {
	t.Helper()
	doc, converted, err := stripBOM(doc)
	if err != nil {
		return 0
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[full](), reflect.TypeFor[batch](), reflect.TypeFor[small](), reflect.TypeFor[struct{}]()} {
		short, long := reflect.New(typ), reflect.New(typ)
		quick, ok := unmarshalQuick(doc, short.Elem())
		if !ok {
			continue
		}
		taken++
		tree, err := unmarshalTree(doc, converted, long.Elem())
		require.NoError(t, err, "only the short way takes it for %s: %q", typ, doc)
		require.Equal(t, long.Interface(), short.Interface(), "%s: %q", typ, doc)
		require.ElementsMatch(t, tree.Elements, quick.Elements, doc)
		require.Equal(t, tree.Unknown, quick.Unknown, doc)
	}
	return taken
}

// The documents that the platform writes take the short way.
func TestQuickTakesTheUsual(t *testing.T) {
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
		if agree(t, string(doc)) > 0 {
			taken++
		} else {
			t.Log("not taken:", file)
		}
	}
	assert.Greater(t, taken, 30)
	assert.Equal(t, 4, agree(t, exampleText[:strings.Index(exampleText, "<pDetails>")]+"</pReq>"))
	assert.Equal(t, 2, agree(t, exampleText), "rows need a field")
}

func TestQuickAgrees(t *testing.T) {
	t.Parallel()
	for doc, taken := range map[string]int{
		`<pReq></pReq>`: 4,
		` <pReq> <a>1</a>` + "\n\t" + `<b/> </pReq> `:                                                   4,
		`<pReq><a>x&amp;&lt;&gt;&quot;&apos;y</a></pReq>`:                                               4,
		`<pReq><a>x<![CDATA[<&>]]>y<![CDATA[]]></a></pReq>`:                                             4,
		`<pReq><a><![CDATA[]]]]><![CDATA[>]]></a></pReq>`:                                               4,
		`<pReq><a>]]&gt;]]</a><b>]</b></pReq>`:                                                          4,
		`<pReq><pDetails><pRow><pName>1</pName></pRow> <pRow><pName>2</pName></pRow></pDetails></pReq>`: 2,
		`<pReq><pDetails><pRow><x>1</x><pSumm>0.01</pSumm></pRow><pRow></pRow></pDetails></pReq>`:       2,
		`<pReq><pDetails></pDetails></pReq>`:                                                            4,
		`<pReq><pDetails/></pReq>`:                                                                      4,
		`<pReq><pHint>bad</pHint></pReq>`:                                                               4,
		`<pReq><pMore>-5</pMore></pReq>`:                                                                4,
		`<pReq><a>𠀀😀</a></pReq>`:                                                                        4,
		// Unreadable for the one type, unknown to the others.
		`<pReq><pSum>1</pSum></pReq>`:         3,
		`<pReq><pLess>-5</pLess></pReq>`:      3,
		`<pReq><b>1</b><c>1</c></pReq>`:       3,
		`<pReq><pDetails> </pDetails></pReq>`: 2,
		`<pReq><pDetails>x</pDetails></pReq>`: 2,
		// Left to the long way, whatever it says.
		`<pReq>]]</pReq>`:                                0,
		`<pReq>&lt;</pReq>`:                              0,
		`<pReq><a>]]></a></pReq>`:                        0,
		`<pReq><a>x</a>y</pReq>`:                         0,
		`<pReq><a>1</a><a>2</a></pReq>`:                  0,
		`<pReq><x>1</x><x>2</x></pReq>`:                  0,
		`<pReq><a b="c">1</a></pReq>`:                    0,
		`<pReq><a >1</a></pReq>`:                         0,
		`<pReq><a>1</a ></pReq>`:                         0,
		`<pReq><a>1</ab></pReq>`:                         0,
		`<pReq><a><x>1</x></a></pReq>`:                   0,
		`<pReq><!-- c --></pReq>`:                        0,
		`<pReq><a>&#65;</a></pReq>`:                      0,
		`<pReq><a>&x;</a></pReq>`:                        0,
		`<pReq><a>a` + "\r\n" + `</a></pReq>`:            0,
		`<pReq><a>` + "\x01" + `</a></pReq>`:             0,
		`<pReq><a><![CDATA[` + "\x01" + `]]></a></pReq>`: 0,
		`<pReq><a><![CDATA[`:                             0,
		`<pReq><a>` + "\xff" + `</a></pReq>`:             0,
		"<pReq><a>\uFFFE</a></pReq>":                     0,
		`<pReq><a>x`:                                     0,
		`<pReq><a`:                                       0,
		`<pReq></<a>1</a></pReq>`:                        0,
		`<pReq><a></<b>1</b></pReq>`:                     0,
		`<pReq></preq>`:                                  0,
		`<pReq>`:                                         0,
		`<pReq/>`:                                        0,
		`<pReq></pReq><pReq></pReq>`:                     0,
		`<pReq></pReq>x`:                                 0,
		`<!DOCTYPE x><pReq></pReq>`:                      0,
		`<?xml version="1.0"?><pReq></pReq>`:             0,
		`<x:pReq></x:pReq>`:                              0,
		`<pReq><pDetails><pRow><pName><d/></pName></pRow></pDetails></pReq>`:  0,
		`<pReq><pDetails><pRow><a/><b/><c/><d/><e/></pRow></pDetails></pReq>`: 0,
		`<pReq><pDetails><pRow><a/><a/></pRow></pDetails></pReq>`:             0,
		`<pReq><pDetails><pRow></pRow><pOther/></pDetails></pReq>`:            0,
		`<pReq><pDetails><![CDATA[<pRow>]]></pDetails></pReq>`:                2,
		`<pReq>` + strings.Repeat("<pX/>", 65) + `</pReq>`:                    0,
		``: 0,
	} {
		assert.Equal(t, taken, agree(t, doc), doc)
	}
}

// FuzzQuick holds the short way to the long way.
func FuzzQuick(f *testing.F) {
	f.Add(exampleText)
	f.Add(plainxml.Header + `<pReq><a>1</a><b><![CDATA[x]]></b><pDetails><pRow><pName>&amp;</pName></pRow></pDetails></pReq>`)
	f.Add(`<pReq><a/><b>]]&gt;</b><c>]]]]</c></pReq>`)
	f.Add(`<pReq> <a>𠀀</a>` + "\t" + `</pReq>`)
	f.Add("\xEF\xBB\xBF<pReq><a><![CDATA[x]]></a></pReq>")
	f.Add("\xff\xfe<\x00p\x00")
	f.Add(`<?xml version="1.0" encoding="GB18030"?><pReq><a>` + "\xd5\xc5" + `</a></pReq>`)
	f.Add(`<pReq><pDetails><pRow><pSum>1.00</pSum><pSumm>1.00</pSumm></pRow><pRow><x/></pRow></pDetails><pHint>bad</pHint></pReq>`)
	f.Add(`<pReq><pCount>-1</pCount><pLess>-1</pLess></pReq>`)
	f.Fuzz(func(t *testing.T, doc string) {
		agree(t, doc)
		_, _ = Unmarshal(doc, new(full)) // whatever it is, it does not fall
	})
}

// An element and its other name are one field: two values for it are one too
// many.
func TestAliasBesideItsName(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		`<pReq><b>1</b><c>0</c></pReq>`: "c stands twice, under two names",
		`<pReq><c>1</c><b>1</b></pReq>`: "b stands twice, under two names",
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
