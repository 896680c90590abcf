package ips_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

// example is one operation with a full request of fictional people, out of
// testdata/golden, and how it is sent. What the requests and the answers are on
// the wire, internal/test/wire has from the manual.
type example struct {
	ips.OperationInfo
	op       ips.Operation
	request  ips.Request // pointer to the request struct
	response ips.Response
}

// examples returns fresh ones of all operations, in the order of the manual.
func examples(t testing.TB) []example {
	t.Helper()
	var all []example
	for _, i := range ips.Operations() {
		all = append(all, exampleOf(t, i.Operation))
	}
	return all
}

func exampleOf(t testing.TB, op ips.Operation) example {
	t.Helper()
	req, err := ips.UnmarshalRequest(op, goldenFile(t, op, "request.json"))
	require.NoError(t, err)
	request := reflect.New(reflect.TypeOf(req))
	request.Elem().Set(reflect.ValueOf(req))
	response, err := ips.UnmarshalResponse(op, goldenFile(t, op, "response.json"))
	require.NoError(t, err)
	return example{fixture.Info(t, op), op, request.Interface().(ips.Request), response}
}

// send is the way of the operation's transport.
func (e example) send(c *ips.Client, request ips.Request) (*ips.Form, ips.Response, error) {
	if e.Transport == ips.Redirect {
		form, err := c.Form(request)
		return form, nil, err
	}
	resp, err := c.Call(context.Background(), request)
	return nil, resp, err
}

func (e example) orderNo() string { return ips.OrderNo(e.request) }

func bidRequest(t testing.TB) ips.RegisterBidRequest {
	return *exampleOf(t, ips.OpRegisterBid).request.(*ips.RegisterBidRequest)
}

func goldenFile(t testing.TB, op ips.Operation, kind string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", string(op)+"."+kind))
	require.NoError(t, err, "internal/test/wire has it from the manual")
	return data
}

// hear is a handler that hears every answer by f.
func hear(f func(ips.Response) error) ips.Handler {
	return func(_ context.Context, answer ips.Response) error { return f(answer) }
}

// collect is a hook that keeps the events of one goroutine.
func collect(events *[]ips.Event) func(context.Context, ips.Event) {
	return func(_ context.Context, e ips.Event) { *events = append(*events, e) }
}

const formType = "application/x-www-form-urlencoded"

const (
	liSi   = "4021000000000002"
	wangWu = "4021000000000003"
)

func day() ips.Date { return ips.NewDate(2014, time.December, 13) }

func at(hour, minute, second int) ips.Time {
	return ips.Time{Time: time.Date(2014, time.December, 13, hour, minute, second, 0, ips.China)}
}

// read opens an answer with the document for op by the public way.
func read[R ips.Response](t *testing.T, op ips.Operation, code ips.Code, doc string) R {
	t.Helper()
	resp, err := fixture.Client(t).ParseNotification(fixture.Sealed(code, "", doc).Inbound(op), op)
	require.NoError(t, err)
	typed, ok := resp.(R)
	require.True(t, ok, "%T", resp)
	return typed
}

func responseFile(t testing.TB, op ips.Operation) string {
	t.Helper()
	return string(goldenFile(t, op, "response.xml"))
}

// signQuery puts the plain form of the signature into a query's answer: MD5 over the
// texts of all elements before pSign and the cert. taggedSign is the other form.
func signQuery(t testing.TB, document string) string {
	t.Helper()
	var texts strings.Builder
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok && string(text) != "SIGN" {
			texts.Write(text)
		}
	}
	return strings.Replace(document, "SIGN", md5Hex(texts.String()+ips.TestMerchant().Cert.Reveal()), 1)
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}
