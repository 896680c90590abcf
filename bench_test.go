package ips

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/soap"
)

// The benchmarks come in threes: what the SDK does with a message ("sdk"), the
// floor, which is 3DES-CBC of crypto/des on one core, Base64 and MD5 over the
// same bytes and nothing else ("floor"), and the two in turn, so that both see
// the same machine ("ratio"). The ratio is what counts: machines are shared and
// noisy. This makes a table and a picture of them, as in docs/benchmarks.md:
//
//	go test -run '^$' -bench . -count 10 . | go run ./internal/benchreport

func benchConfig() Config {
	cfg := TestMerchant()
	cfg.Environment = EnvironmentAt("https://ips.example.com")
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	return cfg
}

func benchClient(b *testing.B) *Client {
	b.Helper()
	c, err := NewClient(benchConfig())
	require.NoError(b, err)
	return c
}

func creditorRequest() RegisterCreditorRequest {
	return RegisterCreditorRequest{
		OrderNo: "C20141124000001", Date: Date{2014, 11, 24}, BidNo: "BID20141124000001", ContractNo: "HT20141124000001",
		Amount: 5000 * Yuan, Fee: 5 * Yuan, IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002",
		Purpose: "经营周转，期限十二个月", Memos: Memos{Memo1: "备注一", Memo2: "备注二"},
	}
}

func repayRequest(rows int) RepayRequest {
	req := RepayRequest{
		BidNo: "BID20141124000001", Date: Date{2014, 11, 24}, OrderNo: "P20141124000001", Account: "4021000000000001",
	}
	for i := range rows {
		req.Rows = append(req.Rows, RepayRow{
			CreditorOrderNo: fmt.Sprintf("C%014d", i), Account: fmt.Sprintf("4021%012d", i), Fee: Yuan, BorrowerFee: Fen, Amount: 100 * Yuan,
		})
	}
	req.Amount, req.Fee = RepayTotals(req.Rows)
	return req
}

func transferRequest(rows int) TransferRequest {
	req := TransferRequest{OrderNo: "F20141124000001", BidNo: "BID20141124000001", Date: Date{2014, 11, 24}, Type: TransferInvestment}
	for i := range rows {
		req.Rows = append(req.Rows, TransferRow{
			OriginalOrderNo: fmt.Sprintf("C%014d", i), Amount: 100 * Yuan, FromAccount: fmt.Sprintf("4021%012d", i+1), FromFee: Yuan,
			ToAccount: "4021000000000000", ToFee: Fen,
		})
	}
	return req
}

// transferAnswer is the document of the final answer to a transfer.
func transferAnswer(rows int) string {
	var b strings.Builder
	b.WriteString("\uFEFF" + `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>F20141124000001</pMerBillNo><pBidNo>BID20141124000001</pBidNo>` +
		`<pDate>20141124</pDate><pTransferType>1</pTransferType><pTransferMode>1</pTransferMode><pIpsBillNo>20140825879</pIpsBillNo><pIpsTime>20141124101112</pIpsTime><pDetails>`)
	for i := range rows {
		fmt.Fprintf(&b, `<pRow><pOriMerBillNo>C%014d</pOriMerBillNo><pTrdAmt>100.00</pTrdAmt><pFAccType>1</pFAccType><pFIpsAcctNo>4021%012d</pFIpsAcctNo>`+
			`<pFTrdFee>1.00</pFTrdFee><pTAcctType>1</pTAcctType><pTIpsAcctNo>4021000000000000</pTIpsAcctNo><pTTrdFee>0.01</pTTrdFee>`+
			`<pIpsDetailBillNo>20140825%08d</pIpsDetailBillNo><pIpsDetailTime>20141124101112</pIpsDetailTime><pIpsFee>0</pIpsFee><pStatus>Y</pStatus><pMessage><![CDATA[]]></pMessage></pRow>`, i, i, i)
	}
	b.WriteString(`</pDetails><pMemo1><![CDATA[]]></pMemo1><pMemo2></pMemo2><pMemo3></pMemo3></pReq>`)
	return b.String()
}

// repayAnswer is the document of the final answer to a repayment.
func repayAnswer(rows int) string {
	var b strings.Builder
	b.WriteString("\uFEFF" + `<?xml version="1.0" encoding="utf-8"?><pReq><pBidNo>BID20141124000001</pBidNo><pRepaymentDate>20141124</pRepaymentDate>` +
		`<pMerBillNo>P20141124000001</pMerBillNo><pIpsBillNo>CRY2014121300031415</pIpsBillNo><pIpsDate>20141124</pIpsDate><pOutIpsFee>0</pOutIpsFee><pDetails>`)
	for i := range rows {
		fmt.Fprintf(&b, `<pRow><pCreMerBillNo>C%014d</pCreMerBillNo><pInAcctNo>4021%012d</pInAcctNo><pInFee>1.00</pInFee><pStatus>Y</pStatus><pMessage><![CDATA[]]></pMessage></pRow>`, i, i)
	}
	b.WriteString(`</pDetails><pMemo1><![CDATA[]]></pMemo1><pMemo2></pMemo2><pMemo3></pMemo3></pReq>`)
	return b.String()
}

// creditorAnswer is the document of an answer of about 1 KB.
const creditorAnswer = "\uFEFF" + `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>C20141124000001</pMerBillNo><pMerDate>20141124</pMerDate><pBidNo>BID20141124000001</pBidNo>` +
	`<pContractNo>HT20141124000001</pContractNo><pAuthAmt>5000.00</pAuthAmt><pTrdAmt>5000.00</pTrdAmt><pFee>5.00</pFee><pAccount>4021000000000002</pAccount>` +
	`<pAccountDealNo>CRE20141124052810</pAccountDealNo><pBidDealNo>BID20141124052802</pBidDealNo><pBusiType>1</pBusiType><pTransferAmt>5005.00</pTransferAmt>` +
	`<pStatus>0</pStatus><pP2PBillNo>TND20141124022912</pP2PBillNo><pIpsTime>20141124101112</pIpsTime><pMemo1><![CDATA[备注一]]></pMemo1>` +
	`<pMemo2><![CDATA[备注二，投资人登记时提交，平台原样返回，供商户核对订单使用，长度不超过一百个字符]]></pMemo2><pMemo3></pMemo3></pReq>`

// floor is the least that a message can cost: the same bytes through the cipher,
// Base64 and MD5.
type floor struct {
	block               cipher.Block
	iv, plain, raw      []byte
	body, signed, cert  []byte
	merCode, answerText string
}

func newFloor(b *testing.B, document string) *floor {
	b.Helper()
	m := TestMerchant()
	block, err := des.NewTripleDESCipher([]byte(m.Key.Reveal()))
	require.NoError(b, err)
	keys, err := envelope.NewKeys(m.MerchantCode, m.Cert.Reveal(), m.Key.Reveal(), m.IV.Reveal())
	require.NoError(b, err)
	f := &floor{
		block: block, iv: []byte(m.IV.Reveal()), cert: []byte(m.Cert.Reveal()), merCode: m.MerchantCode, answerText: "MG00000F操作成功",
		plain: make([]byte, len(document)/des.BlockSize*des.BlockSize+des.BlockSize),
		body:  []byte(keys.Encrypt([]byte(document))),
	}
	copy(f.plain, document)
	f.raw = make([]byte, len(f.plain)+2)
	f.signed = make([]byte, 0, len(f.body)+256)
	return f
}

func (f *floor) seal() {
	raw := f.raw[:len(f.plain)]
	cipher.NewCBCEncrypter(f.block, f.iv).CryptBlocks(raw, f.plain)
	base64.StdEncoding.Encode(f.body, raw)
	f.signed = append(append(append(f.signed[:0], f.merCode...), f.body...), f.cert...)
	f.sum()
}

func (f *floor) open() {
	f.signed = append(append(append(append(f.signed[:0], f.merCode...), f.answerText...), f.body...), f.cert...)
	f.sum()
	n, err := base64.StdEncoding.Decode(f.raw, f.body)
	if err != nil {
		panic(err)
	}
	cipher.NewCBCDecrypter(f.block, f.iv).CryptBlocks(f.raw[:n], f.raw[:n])
}

func (f *floor) sum() {
	sum := md5.Sum(f.signed)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
}

// against measures sdk and floor apart, for their figures, and in turn, for
// their ratio. size is the document's.
func against(b *testing.B, size int, sdk, floor func()) {
	alone := func(name string, run func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
	alone("sdk", sdk)
	alone("floor", floor)
	b.Run("ratio", func(b *testing.B) {
		var ours, least time.Duration
		for b.Loop() {
			start := time.Now()
			sdk()
			middle := time.Now()
			floor()
			least += time.Since(middle)
			ours += middle.Sub(start)
		}
		b.ReportMetric(float64(ours)/float64(least), "x-floor")
	})
}

// must ends a benchmark whose subject fails.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// document is a request as the client fills it in and writes it.
func document(tb testing.TB, c *Client, req Request) []byte {
	tb.Helper()
	o, err := c.complete(req)
	require.NoError(tb, err)
	d, err := codec.Marshal(o.ptr.Interface(), o.op.variant.Text)
	require.NoError(tb, err)
	return d
}

// sealRequest takes a request from struct to sealed body: defaults, validation,
// document, encryption, signature.
func sealRequest(c *Client, req Request) {
	o, err := c.complete(req)
	must(err)
	_, err = c.sealed(o)
	must(err)
}

func benchSeal(b *testing.B, req Request) {
	c := benchClient(b)
	d := document(b, c, req)
	against(b, len(d), func() { sealRequest(c, req) }, newFloor(b, string(d)).seal)
}

func BenchmarkSeal(b *testing.B) {
	b.Run("1KB", func(b *testing.B) { benchSeal(b, creditorRequest()) })
	b.Run("repay300", func(b *testing.B) { benchSeal(b, repayRequest(300)) })
	for _, rows := range benchRows {
		b.Run(fmt.Sprintf("transfer%d", rows), func(b *testing.B) { benchSeal(b, transferRequest(rows)) })
	}
}

// benchRows are the sizes of a transfer along which its cost is drawn.
var benchRows = []int{1, 10, 100, 1000, 3000}

func sealedBy(tb testing.TB, c *Client, document string) answer {
	tb.Helper()
	body := c.seal.keys.Encrypt([]byte(document))
	return answer{merCode: c.MerchantCode(), errCode: "MG00000F", errMsg: "操作成功", body: body, sign: c.seal.keys.SignAnswer("MG00000F", "操作成功", body)}
}

// openAnswer takes an answer from its five fields to the typed response.
func openAnswer(c *Client, op *operation, a answer) {
	_, err := c.open(op, a, Synchronous)
	must(err)
}

func benchOpen(b *testing.B, op *operation, document string) {
	c := benchClient(b)
	a := sealedBy(b, c, document)
	against(b, len(document), func() { openAnswer(c, op, a) }, newFloor(b, document).open)
}

func BenchmarkOpen(b *testing.B) {
	b.Run("1KB", func(b *testing.B) { benchOpen(b, registerCreditor, creditorAnswer) })
	b.Run("repay300", func(b *testing.B) { benchOpen(b, repay, repayAnswer(300)) })
	for _, rows := range benchRows {
		b.Run(fmt.Sprintf("transfer%d", rows), func(b *testing.B) { benchOpen(b, transfer, transferAnswer(rows)) })
	}
}

// BenchmarkInbound measures a notification from the bytes of the request to the
// typed response.
func BenchmarkInbound(b *testing.B) {
	c := benchClient(b)
	for _, bm := range []struct {
		name, document string
		op             Operation
	}{{"1KB", creditorAnswer, OpRegisterCreditor}, {"transfer3000", transferAnswer(3000), OpTransfer}} {
		b.Run(bm.name, func(b *testing.B) {
			a := sealedBy(b, c, bm.document)
			form := url.Values{}
			for _, name := range answerFields {
				form.Set(name, *a.field(name))
			}
			body := form.Encode()
			against(b, len(bm.document), func() {
				r := &http.Request{ // as a server has read it
					Method: http.MethodPost, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
					Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
				}
				_, err := c.ParseNotification(r, bm.op)
				must(err)
			}, newFloor(b, bm.document).open)
		})
	}
}

// TestOpenMemory bounds what opening an answer of 3000 rows takes besides the
// answer: all that is allocated, so no less than the peak.
func TestOpenMemory(t *testing.T) {
	document := transferAnswer(3000)
	c, err := NewClient(benchConfig())
	require.NoError(t, err)
	a := sealedBy(t, c, document)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp, err := c.open(transfer, a, Synchronous)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, resp.(*TransferResponse).Rows, 3000)
	got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(document))
	t.Logf("%.2f times the document of %d bytes, %d allocations", got, len(document), after.Mallocs-before.Mallocs)
	require.Less(t, got, 4.0) // under the race detector it is a copy more
}

// BenchmarkShared has 256 goroutines seal and open with one client, 1024 times
// in all. Against the floor on the same number of goroutines it shows whether
// they wait for anything but processors:
//
//	go test -run '^$' -bench Shared/sdk -mutexprofile mutex.out .
func BenchmarkShared(b *testing.B) {
	const goroutines = 256
	c := benchClient(b)
	a := sealedBy(b, c, creditorAnswer)
	req := creditorRequest()
	document := document(b, c, req)
	sdk := func() {
		sealRequest(c, req)
		openAnswer(c, registerCreditor, a)
	}
	floors := make([]func(), goroutines) // each has buffers of its own
	for i := range floors {
		out, back := newFloor(b, string(document)), newFloor(b, creditorAnswer)
		floors[i] = func() {
			out.seal()
			back.open()
		}
	}
	// crowd has each goroutine do its work a few times.
	const times = 4
	crowd := func(work func(i int)) {
		var wg sync.WaitGroup
		for i := range goroutines {
			wg.Go(func() {
				for range times {
					work(i)
				}
			})
		}
		wg.Wait()
	}
	against(b, goroutines*times*(len(document)+len(creditorAnswer)), func() {
		crowd(func(int) { sdk() })
	}, func() {
		crowd(func(i int) { floors[i]() })
	})
}

// BenchmarkRoundTrip measures a whole web-service call on loopback against a
// server that always answers the same. The bare ones are the floor and a net/http
// client's exchange of the same bytes: what is above them is the SDK's.
func BenchmarkRoundTrip(b *testing.B) {
	for _, rows := range []int{1, 3000} {
		benchRoundTrip(b, rows)
	}
}

func benchRoundTrip(b *testing.B, rows int) {
	var reply []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(reply)
	}))
	defer srv.Close()
	cfg := benchConfig()
	cfg.Environment = EnvironmentAt(srv.URL)
	c, err := NewClient(cfg)
	require.NoError(b, err)
	answered := transferAnswer(rows)
	a := sealedBy(b, c, answered)
	var result bytes.Buffer
	result.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for _, name := range answerFields {
		fmt.Fprintf(&result, "<%s>%s</%s>", name, *a.field(name), name)
	}
	result.WriteString("</pReq>")
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(result.String())
	reply = []byte(`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<TransferResponse xmlns="http://tempuri.org/"><TransferResult>` + escaped + `</TransferResult></TransferResponse></soap:Body></soap:Envelope>`)
	req := transferRequest(rows)
	sent := document(b, c, req)
	out, back := newFloor(b, string(sent)), newFloor(b, answered)
	cipher := func() {
		out.seal()
		back.open()
	}
	o, err := c.complete(req)
	require.NoError(b, err)
	params, err := c.params(o)
	require.NoError(b, err)
	body := soap.Request(c.wire.namespace, o.op.Endpoint, params)
	bare := func() {
		cipher()
		resp, err := c.wire.http.Post(srv.URL, soap.ContentType, bytes.NewReader(body))
		must(err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(err)
		must(resp.Body.Close())
	}
	b.Run(fmt.Sprintf("transfer%d", rows), func(b *testing.B) {
		against(b, len(sent)+len(answered), func() {
			_, err := c.Transfer(context.Background(), req)
			must(err)
		}, cipher)
	})
	b.Run(fmt.Sprintf("bare%d", rows), func(b *testing.B) { against(b, len(sent)+len(answered), bare, cipher) })
}
