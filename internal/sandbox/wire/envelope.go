package wire

import "strings"

// Envelope is an answer as it goes over the wire. XML is the document that its
// body holds, for people to see.
type Envelope struct {
	Merchant, Code, Text, Body, Sign string
	XML                              string
}

// Fields are the five fields of the envelope in wire order.
func (e Envelope) Fields() []Pair {
	return []Pair{
		{Name: "pMerCode", Value: e.Merchant},
		{Name: "pErrCode", Value: e.Code},
		{Name: "pErrMsg", Value: e.Text},
		{Name: "p3DesXmlPara", Value: e.Body},
		{Name: "pSign", Value: e.Sign},
	}
}

// ResultText is the document that the result of a web service holds as text.
func ResultText(fields []Pair) string {
	return `<?xml version="1.0" encoding="utf-8"?><pReq>` + elements(fields, Escape) + "</pReq>"
}

// TaggedText is what an answer to a query is signed over: elements with their
// tags, the values as they are.
func TaggedText(fields []Pair) string {
	return elements(fields, func(value string) string { return value })
}

func elements(fields []Pair, written func(string) string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString("<" + f.Name + ">" + written(f.Value) + "</" + f.Name + ">")
	}
	return b.String()
}

// SignedTexts are the texts that a request's signature may be over, given the
// body as it came, on one line. Merchants signed what their encoder made, which
// broke lines as their machine does, and not all of them took the breaks out
// again; and XML makes LF of every break on the way.
func SignedTexts(received, oneLine string) []string {
	texts := []string{oneLine}
	if !strings.ContainsAny(received, "\r\n") {
		return texts
	}
	lines := strings.FieldsFunc(received, func(r rune) bool { return r == '\r' || r == '\n' })
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], " ", "+")
	}
	for _, ending := range []string{"\n", "\r\n", "\r"} {
		text := strings.Join(lines, ending)
		texts = append(texts, text, text+ending)
	}
	return texts
}
