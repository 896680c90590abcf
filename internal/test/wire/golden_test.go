package wire_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// sentRequest is a request as it left the client.
type sentRequest struct {
	url      string
	action   string   // SOAPAction
	names    []string // of the form or of the call's parameters
	values   []string
	envelope []byte // whole SOAP envelope
}

// capture sends the operation's example and returns what went out.
func capture(t *testing.T, tt operationTest) sentRequest {
	t.Helper()
	c, r := fixture.RecordingClient(t, "", "")
	form, _, err := tt.send(c, tt.request)
	if form != nil {
		require.NoError(t, err)
		require.Zero(t, r.Calls, "a form needs no network")
		s := sentRequest{url: form.Action()}
		for _, f := range form.Fields() {
			s.names, s.values = append(s.names, f.Name), append(s.values, f.Value)
		}
		return s
	}
	require.ErrorContains(t, err, "recorder has no answer")
	require.Equal(t, 1, r.Calls)
	require.Equal(t, "POST", r.Request.Method)
	s := sentRequest{url: r.Request.URL.String(), action: r.Request.Header.Get("SOAPAction")}
	if s.action == "" {
		require.Equal(t, "application/x-www-form-urlencoded", r.Request.Header.Get("Content-Type"))
		v, err := url.ParseQuery(string(r.Sent))
		require.NoError(t, err)
		for _, name := range []string{"argMerCode", "arg3DesXmlPara", "argSign", "pMerCode", "p3DesXmlPara", "pSign"} {
			if v.Has(name) {
				s.names, s.values = append(s.names, name), append(s.values, v.Get(name))
			}
		}
		require.Len(t, v, len(s.names))
		return s
	}
	require.Equal(t, "text/xml; charset=utf-8", r.Request.Header.Get("Content-Type"))
	s.envelope = r.Sent
	var call struct {
		Body struct {
			Call struct {
				XMLName xml.Name
				Params  []struct {
					XMLName xml.Name
					Text    string `xml:",chardata"`
				} `xml:",any"`
			} `xml:",any"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	require.NoError(t, xml.Unmarshal(r.Sent, &call))
	require.Equal(t, xml.Name{Space: "http://tempuri.org/", Local: tt.action}, call.Body.Call.XMLName)
	for _, p := range call.Body.Call.Params {
		require.Equal(t, "http://tempuri.org/", p.XMLName.Space)
		s.names, s.values = append(s.names, p.XMLName.Local), append(s.values, p.Text)
	}
	return s
}

// elementNames lists the elements of a document in order, rows as
// "pDetails/pRow", and the names of each row. It uses the standard library's
// decoder only.
func elementNames(t *testing.T, document []byte) (names []string, rows [][]string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	var path []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return names, rows
		}
		require.NoError(t, err)
		switch x := token.(type) {
		case xml.StartElement:
			require.Empty(t, x.Attr)
			require.Empty(t, x.Name.Space)
			path = append(path, x.Name.Local)
			switch {
			case len(path) == 2 && x.Name.Local != "pDetails":
				names = append(names, x.Name.Local)
			case len(path) == 3:
				names = append(names, strings.Join(path[1:], "/"))
				rows = append(rows, nil)
			case len(path) == 4:
				rows[len(rows)-1] = append(rows[len(rows)-1], x.Name.Local)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

// TestRequestGolden pins the bytes of every request, and its names and their
// order against the manual's.
func TestRequestGolden(t *testing.T) {
	t.Parallel()
	for _, tt := range operationTests() {
		t.Run(string(tt.op), func(t *testing.T) {
			t.Parallel()
			recorded, err := ips.MarshalRequest(tt.request)
			require.NoError(t, err)
			goldenJSON(t, string(tt.op)+".request.json", recorded)
			sent := capture(t, tt)
			assert.Equal(t, "https://ips.example.com"+tt.url, sent.url)
			if tt.action == "" {
				assert.Empty(t, sent.action)
			} else {
				assert.Equal(t, `"http://tempuri.org/`+tt.action+`"`, sent.action)
			}
			if strings.HasPrefix(tt.requestNames, "argMerCode") { // sent as it is
				assert.Equal(t, strings.Fields(tt.requestNames), sent.names)
				golden(t, string(tt.op)+".request.xml", sent.envelope)
				return
			}
			require.Equal(t, []string{tt.prefix + "MerCode", tt.prefix + "3DesXmlPara", tt.prefix + "Sign"}, sent.names)
			keys := fixture.Keys()
			assert.Equal(t, "808801", sent.values[0])
			assert.NotContains(t, sent.values[1], "\n")
			require.True(t, keys.VerifyRequest(sent.values[1], sent.values[2]))
			document, err := keys.Decrypt(sent.values[1])
			require.NoError(t, err)
			golden(t, string(tt.op)+".request.xml", []byte(document))

			names, rows := elementNames(t, []byte(document))
			assert.Equal(t, strings.Fields(tt.requestNames), names)
			for _, row := range rows {
				assert.Equal(t, strings.Fields(tt.rowNames), row)
			}
		})
	}
}

// TestElementTable: the diagnosis of a captured request knows the same names in the
// same order. Operations that share them share a line.
func TestElementTable(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile(`pDetails/pRow( pDetails/pRow)*`)
	names, lines := map[string][]string{}, []string(nil)
	for _, tt := range operationTests() {
		if strings.HasPrefix(tt.requestNames, "argMerCode") {
			continue // it is not sealed
		}
		elements := row.ReplaceAllString(strings.Join(strings.Fields(tt.requestNames), " "), "pDetails") + "\t" + tt.rowNames
		if names[elements] == nil {
			lines = append(lines, elements)
		}
		names[elements] = append(names[elements], string(tt.op))
	}
	var table strings.Builder
	for _, elements := range lines {
		table.WriteString(strings.Join(names[elements], ", ") + "\t" + elements + "\n")
	}
	golden(t, "../../internal/diagnose/elements.tsv", []byte(table.String()))
}

// TestVariantsDiffer makes sure that what sets the variants of one endpoint
// apart really is on the wire.
func TestVariantsDiffer(t *testing.T) {
	t.Parallel()
	for op, want := range map[ips.Operation]string{
		ips.OpRegisterBid:       "<pOperationType>1</pOperationType>",
		ips.OpEndBid:            "<pOperationType>2</pOperationType>",
		ips.OpRegisterCreditor:  "<pRegType>1</pRegType><pAuthNo></pAuthNo>",
		ips.OpAutoBid:           "<pRegType>2</pRegType><pAuthNo>AUTH000001</pAuthNo>",
		ips.OpRepay:             "<pRepayType>1</pRepayType><pIpsAuthNo></pIpsAuthNo>",
		ips.OpAutoRepay:         "<pRepayType>2</pRepayType><pIpsAuthNo>AUTH000002</pIpsAuthNo>",
		ips.OpOpenAccount:       "<pIdentType>1</pIdentType>",
		ips.OpSignAutoRepay:     "<pValidType>N</pValidType><pValidDate>0</pValidDate>",
		ips.OpWithdraw:          "<pOutType>1</pOutType><pBidNo></pBidNo><pContractNo></pContractNo><pDwTo></pDwTo>",
		ips.OpTransfer:          "<pTransferType>1</pTransferType><pTransferMode>2</pTransferMode>",
		ips.OpRegisterGuarantor: "<pAcctType>0</pAcctType>",
	} {
		sent := capture(t, exampleOf(t, op))
		document, err := fixture.Keys().Decrypt(sent.values[1])
		require.NoError(t, err)
		assert.Contains(t, string(document), want, op)
	}
}

// TestSOAPGolden pins the bytes of one web service request.
func TestSOAPGolden(t *testing.T) {
	t.Parallel()
	golden(t, "unfreeze-margin.soap.xml", capture(t, exampleOf(t, ips.OpUnfreezeMargin)).envelope)
}

// TestFormGolden pins the bytes of one page.
func TestFormGolden(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpOpenAccount)
	form, _, err := e.send(fixture.Client(t), e.request)
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, form.Render(&page, ""))
	golden(t, "open-account.form.html", page.Bytes())
}

// TestQuerySignatures checks the three formulae by hand: merchant code, account
// if there is one, cert; never the memo.
func TestQuerySignatures(t *testing.T) {
	t.Parallel()
	for op, signed := range map[ips.Operation][]string{
		ips.OpQueryBalance: {"808801", "4021000000000001"},
		ips.OpQueryBanks:   {"808801"},
		ips.OpQueryAccount: {"808801", "4021000000000001"},
	} {
		sent := capture(t, exampleOf(t, op))
		sign := sent.values[slices.Index(sent.names, "argSign")]
		assert.Equal(t, md5Hex(strings.Join(signed, "")+ips.TestMerchant().Cert.Reveal()), sign, op)
	}
}

// TestDefaultURLs checks what a request without URLs gets.
func TestDefaultURLs(t *testing.T) {
	t.Parallel()
	for _, e := range operationTests() {
		if fixture.Info(t, e.op).Transport == ips.QueryService {
			continue
		}
		set(t, e.request, "NotifyURL", "")
		wantReturn := ""
		if fixture.Info(t, e.op).Transport != ips.WebService {
			set(t, e.request, "ReturnURL", "")
			wantReturn = "<pWebUrl>https://p2p.example.com/ips/return/" + string(e.op) + "</pWebUrl>"
		}
		document, err := fixture.Keys().Decrypt(capture(t, e).values[1])
		require.NoError(t, err)
		assert.Contains(t, string(document), wantReturn)
		assert.Contains(t, string(document), "<pS2SUrl>https://p2p.example.com/ips/notify/"+string(e.op)+"</pS2SUrl>")
	}
}

// TestAllBrokenFieldsAtOnce sends a request in which everything is wrong.
func TestAllBrokenFieldsAtOnce(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cfg.ReturnURL, cfg.NotifyURL = "", ""
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	for _, e := range operationTests() {
		// Of the zero request every required field is complained of, in the order
		// of the wire. Amounts and numbers that may be zero are not.
		v := reflect.ValueOf(e.request).Elem()
		v.SetZero()
		if v.NumField() == 0 {
			continue
		}
		_, _, err := e.send(c, e.request)
		var invalid *ips.ValidationError
		require.ErrorAs(t, err, &invalid, e.op)
		assert.Len(t, invalid.Fields, e.required, "%s: %v", e.op, err)
		for _, f := range invalid.Fields {
			assert.Contains(t, err.Error(), f.Error())
		}
	}
}
