package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cents is a value with a text form of its own.
type cents int

func (c cents) AppendText(b []byte) ([]byte, error) {
	if c < 0 {
		return nil, fmt.Errorf("negative")
	}
	return fmt.Appendf(b, "%d.%02d", c/100, c%100), nil
}

func (c *cents) UnmarshalText(text []byte) error {
	whole, frac, ok := strings.Cut(string(text), ".")
	if !ok || len(frac) != 2 {
		return fmt.Errorf("want two decimals")
	}
	n, err := strconv.ParseUint(whole+frac, 10, 31)
	*c = cents(n)
	return err
}

// hint is a value that is only informational.
type hint struct{ text string }

func (h *hint) AppendText(b []byte) ([]byte, error) { return append(b, h.text...), nil }
func (h *hint) UnmarshalText(text []byte) error {
	if string(text) == "bad" {
		return fmt.Errorf("bad hint")
	}
	h.text = string(text)
	return nil
}

type kind string

func (kind) String() string { return "for people" }

type common struct {
	Order string `ips:"pOrder"`
	Local string // no tag, no element
}

type row struct {
	Name string `ips:"pName"`
	Sum  cents  `ips:"pSum,alias=pSumm"`
}

type full struct {
	common
	_     struct{} `ips:"pType,const=7"`
	_     struct{} `ips:"pNone,const="`
	Sum   cents    `ips:"pSum"`
	_     struct{} `ips:"pAgain,copy=pSum"`
	Kind  kind     `ips:"pKind,default=1"`
	Count int      `ips:"pCount"`
	Rows  []row    `ips:"pDetails,row=pRow"`
	Hint  hint     `ips:"pHint"`
	Memo  string   `ips:"pMemo"`
	Less  debt     `ips:"pLess"`
	More  debt     `ips:"pMore,signed"`
}

// debt is a number that can be read with a sign.
type debt int64

func (d debt) AppendText(b []byte) ([]byte, error) { return strconv.AppendInt(b, int64(d), 10), nil }

func (d *debt) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(string(text), 64)
	*d = debt(n * 100)
	return err
}

func example() full {
	return full{
		common: common{Order: "O1", Local: "kept"}, Sum: 1234, Kind: "9", Count: 3,
		Rows: []row{{"a<b", 1}, {"c&d", 200}}, Hint: hint{"soon"}, Memo: "]]>",
	}
}

const exampleText = `<?xml version="1.0" encoding="utf-8"?><pReq><pOrder>O1</pOrder><pType>7</pType><pNone></pNone><pSum>12.34</pSum>` +
	`<pAgain>12.34</pAgain><pKind>9</pKind><pCount>3</pCount><pDetails><pRow><pName>a&lt;b</pName><pSum>0.01</pSum></pRow>` +
	`<pRow><pName>c&amp;d</pName><pSum>2.00</pSum></pRow></pDetails><pHint>soon</pHint><pMemo>]]&gt;</pMemo><pLess>0</pLess><pMore>0</pMore></pReq>`

func TestMarshal(t *testing.T) {
	t.Parallel()
	v := example()
	got, err := Marshal(&v, "")
	require.NoError(t, err)
	assert.Equal(t, exampleText, string(got))

	got, err = Marshal(&full{}, "")
	require.NoError(t, err)
	assert.Equal(t, `<?xml version="1.0" encoding="utf-8"?><pReq><pOrder></pOrder><pType>7</pType><pNone></pNone><pSum>0.00</pSum>`+
		`<pAgain>0.00</pAgain><pKind>1</pKind><pCount>0</pCount><pDetails></pDetails><pHint></pHint><pMemo></pMemo><pLess>0</pLess><pMore>0</pMore></pReq>`, string(got))
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*full)
		want   string
	}{
		"control character": {func(v *full) { v.Memo = "a\x01" }, "pMemo: the character U+0001 has no place in an XML document"},
		"in a row":          {func(v *full) { v.Rows[1].Name = "\x00" }, "pRow[2]/pName: the character U+0000 has no place in an XML document"},
		"not UTF-8":         {func(v *full) { v.common.Order = "\xff" }, "pOrder: the character U+FFFD has no place in an XML document"},
		"noncharacter":      {func(v *full) { v.Memo = "\uffff" }, "pMemo: the character U+FFFF has no place in an XML document"},
		"no text form":      {func(v *full) { v.Sum = -1 }, "pSum: negative"},
	} {
		v := example()
		tt.change(&v)
		_, err := Marshal(&v, "")
		assert.EqualError(t, err, tt.want, name)
	}
	// The replacement character itself is a character like any other.
	v := example()
	v.Memo = "\ufffd\t\n"
	_, err := Marshal(&v, "")
	require.NoError(t, err)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	v := example()
	v.Memo = "line\r\nbreaks\r𠮷😀 & <tags> \"quotes\" 'too' "
	doc, err := Marshal(&v, "")
	require.NoError(t, err)
	v.Local = "" // it has no element
	var got full
	d, err := Unmarshal(string(doc), &got)
	require.NoError(t, err)
	assert.Equal(t, v, got)
	assert.Equal(t, []Element{{Name: "pType", Text: "7"}, {Name: "pNone"}, {Name: "pAgain", Text: "12.34"}}, d.Unknown, "constants and copies have no field")
	assert.Equal(t, Element{"pMemo", v.Memo}, d.Elements[9])
	assert.Equal(t, Element{"pDetails", ""}, d.Elements[7])
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var v full
	d, err := Unmarshal(`<pReq><pCount> 5 </pCount><pHint>bad</pHint><pX><a>1</a><b/></pX>`+
		`<pDetails><pRow><pSumm>1.00</pSumm><pY>y</pY><pY/></pRow><pOther>o</pOther><pOther/><pRow><pZ/></pRow></pDetails><pOrder/></pReq>`, &v)
	require.NoError(t, err)
	assert.Equal(t, 5, v.Count)
	assert.Equal(t, []row{{Sum: 100}, {}}, v.Rows)
	assert.Zero(t, v.Hint)
	assert.Equal(t, []Element{
		{Name: "pHint", Text: "bad"}, {Name: "pX/a", Text: "1"}, {Name: "pX/b"},
		{Name: "pDetails/pRow[1]/pY", Text: "y"}, {Name: "pDetails/pRow[1]/pY"},
		{Name: "pDetails/pOther", Text: "o"}, {Name: "pDetails/pOther"}, {Name: "pDetails/pRow[2]/pZ"},
	}, d.Unknown)
	assert.Equal(t, []Element{{"pCount", " 5 "}, {"pHint", "bad"}, {"pX", ""}, {"pDetails", ""}, {"pOrder", ""}}, d.Elements)

	for body, want := range map[string]string{
		`<pSum>1.234</pSum>`:                                      "pSum: want two decimals",
		`<pLess>-0.01</pLess>`:                                    "pLess: negative",
		`<pCount>x</pCount>`:                                      "pCount: not a whole number",
		`<pCount>99999999999999999999</pCount>`:                   "pCount: not a whole number",
		`<pOrder><a/></pOrder>`:                                   "pOrder holds elements where text belongs",
		`<pDetails>text</pDetails>`:                               "pDetails holds text where elements belong",
		`<pDetails><pRow/><pRow>text<pSum/></pRow></pDetails>`:    "pDetails/pRow[2] holds text where elements belong",
		`<pDetails><pRow><pSum/><pSumm/></pRow></pDetails>`:       "pDetails/pRow[1]/pSumm stands twice",
		`<pSum><!-- --></pSum><pSum/>`:                            "pSum stands twice",
		`<pX>text<a/></pX>`:                                       "<pX> holds text beside elements",
		`<pX><a/>text</pX>`:                                       "<pX> holds text beside elements",
		`<pDetails><pRow/><pRow><pSum>x</pSum></pRow></pDetails>`: "pDetails/pRow[2]/pSum: want two decimals",
	} {
		_, err := Unmarshal("<pReq>"+body+"</pReq>", new(full))
		require.EqualError(t, err, want)
		assert.ErrorIs(t, err, ErrMalformed)
	}
}

func TestUnmarshalDocuments(t *testing.T) {
	t.Parallel()
	const doc = "\xEF\xBB\xBF<?xml version=\"1.0\"?> <!-- a --> <pReq>\n<a> x </a>\n<b><c><d>1</d></c></b></pReq>\n"
	d, err := Unmarshal(doc, new(full))
	require.NoError(t, err)
	assert.Equal(t, []Element{{"a", " x "}, {"b", ""}}, d.Elements)
	elements, err := Elements(doc)
	require.NoError(t, err)
	assert.Equal(t, d.Elements, elements)
	assert.Equal(t, []Element{{"a", " x "}, {"b/c/d", "1"}}, d.Unknown)

	for doc, want := range map[string]string{
		"":                                       "not XML: it is empty, on line 1",
		"<pReq/>text":                            "not XML: text outside the root, on line 1",
		"<pReq/><pReq/>":                         "not XML: a second root, on line 1",
		"<pRes/>":                                "the document's root is <pRes>, not <pReq>",
		"<pReq>text</pReq>":                      "the document holds text where elements belong",
		"<pReq>text<a/></pReq>":                  "the document holds text where elements belong",
		"<pReq>":                                 "not XML: it ends too early, on line 1",
		"<pReq>\n<a></b></pReq>":                 "not XML: a wrong end tag, on line 2",
		"<pReq><a>&unknown;</a></pReq>":          "not XML: an & that begins no entity, on line 1",
		"<!DOCTYPE pReq><pReq/>":                 "not XML: a document type or other directive is refused, on line 1",
		"<pReq><a/><a/></pReq>":                  "a stands twice",
		"<pReq><pRow/><pRow/></pReq>":            "pRow stands twice",
		"<pReq><a><b><c><d/></c></b></a></pReq>": "<d> is nested too deeply",
		`<?xml version="1.0" encoding="klingon"?><pReq/>`: "not XML: unreadable encoding, on line 1",
		"\xff\xfe<": "not XML: text outside the root, on line 1",
	} {
		_, err := Unmarshal(doc, new(full))
		require.ErrorIs(t, err, ErrMalformed, "%q", doc)
		assert.EqualError(t, err, want, "%q", doc)
		_, err = Elements(doc)
		assert.EqualError(t, err, want, "%q", doc)
	}
}

// TestUnmarshalLimits: a document of very many elements is refused without reading
// it to its end, in whichever shape they come.
func TestUnmarshalLimits(t *testing.T) {
	t.Parallel()
	var names strings.Builder
	for i := range maxNames + 1 {
		fmt.Fprintf(&names, "<a%d/>", i)
	}
	_, err := Unmarshal("<pReq>"+names.String()+"</pReq>", new(full))
	require.EqualError(t, err, fmt.Sprintf("more than %d different elements", maxNames))
	_, err = Unmarshal("<pReq>"+strings.Replace(names.String(), fmt.Sprintf("<a%d/>", maxNames), "", 1)+"</pReq>", new(full))
	require.NoError(t, err)

	_, err = Unmarshal("<pReq><pDetails>"+strings.Repeat("<pRow/>", 200_000)+"</pDetails></pReq>", new(full))
	require.EqualError(t, err, "not XML: too many elements, on line 1")

	// More rows than room is made for beforehand are read all the same.
	var v full
	_, err = Unmarshal("<pReq><pDetails>"+strings.Repeat("<pRow><pName>x</pName></pRow>", maxRows+1)+"</pDetails></pReq>", &v)
	require.NoError(t, err)
	require.Len(t, v.Rows, maxRows+1)
	require.Equal(t, row{Name: "x"}, v.Rows[maxRows])
}

func TestText(t *testing.T) {
	t.Parallel()
	v := example()
	rv := reflect.ValueOf(&v).Elem()
	want := map[string]string{
		"pOrder": "O1", "pType": "7", "pNone": "", "pSum": "12.34", "pAgain": "12.34", "pKind": "9", "pCount": "3", "pDetails": "", "pHint": "soon", "pMemo": "]]>", "pLess": "0", "pMore": "0",
	}
	for _, f := range Fields(rv.Type()) {
		assert.Equal(t, want[f.Name], Text(rv, &f), f.Name)
	}
	v.Kind, v.Sum = "", -1
	for _, f := range Fields(rv.Type()) {
		switch f.Name {
		case "pKind":
			assert.Equal(t, "1", Text(rv, &f), "the default")
		case "pSum":
			assert.Empty(t, Text(rv, &f), "no text form")
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range Fields(reflect.TypeFor[full]()) {
		names = append(names, f.Name)
	}
	assert.Equal(t, strings.Fields("pOrder pType pNone pSum pAgain pKind pCount pDetails pHint pMemo pLess pMore"), names)
	for name, typ := range map[string]reflect.Type{
		"element twice": reflect.TypeFor[struct {
			A string `ips:"pA"`
			B string `ips:"pA"`
		}](),
		"copy of nothing": reflect.TypeFor[struct {
			_ struct{} `ips:"pA,copy=pB"`
		}](),
		"unknown option": reflect.TypeFor[struct {
			A string `ips:"pA,omitempty"`
		}](),
		"rows within rows": reflect.TypeFor[struct {
			A []struct {
				B []row `ips:"pDetails,row=pRow"`
			} `ips:"pDetails,row=pRow"`
		}](),
		"too many": reflect.StructOf(func() (many []reflect.StructField) {
			for i := range maxFields + 1 {
				many = append(many, reflect.StructField{Name: fmt.Sprintf("A%d", i), Type: reflect.TypeFor[string](), Tag: reflect.StructTag(fmt.Sprintf(`ips:"p%d"`, i))})
			}
			return many
		}()),
		"no text form": reflect.TypeFor[struct {
			A float64 `ips:"pA"`
		}](),
	} {
		assert.Panics(t, func() { Fields(typ) }, name)
	}
}

// FuzzRoundTrip: what Marshal writes is read back equal.
func FuzzRoundTrip(f *testing.F) {
	f.Add("O1", "9", "memo", "row", uint16(3), uint32(1234))
	f.Add(" ", "", "]]>", "\r\n", uint16(0), uint32(0))
	f.Add("&lt;", "<", "\u2028", "😀", uint16(1), uint32(99))
	f.Fuzz(func(t *testing.T, order, k, memo, name string, count uint16, sum uint32) {
		in := full{
			common: common{Order: order}, Kind: kind(k), Memo: memo, Count: int(count), Sum: cents(sum >> 1),
			Rows: []row{{Name: name, Sum: cents(count)}, {Name: memo}},
		}
		if in.Kind == "" {
			in.Kind = "1"
		}
		doc, err := Marshal(&in, "")
		if err != nil {
			return
		}
		var out full
		if _, err := Unmarshal(string(doc), &out); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		if !reflect.DeepEqual(in, out) {
			t.Fatalf("%#v came back as %#v", in, out)
		}
	})
}
