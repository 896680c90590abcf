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
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/envelope"
)

// The benchmarks come in pairs: what the SDK does with a message, and the floor
// in the same run, which is 3DES-CBC of crypto/des, Base64 and MD5 over the same
// bytes and nothing else. The ratio of the two is what counts: machines are
// shared and noisy.

func benchClient(b *testing.B) *Client {
	b.Helper()
	cfg := TestMerchant()
	cfg.Environment = EnvironmentAt("https://ips.example.com")
	cfg.ReturnURL = "https://p2p.example.com/ips/return"
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	c, err := NewClient(cfg)
	require.NoError(b, err)
	return c
}

func creditorRequest() RegisterCreditorRequest {
	return RegisterCreditorRequest{
		OrderNo: "C20141124000001", Date: Date{2014, 11, 24}, BidNo: "BID20141124000001", ContractNo: "HT20141124000001",
		Amount: 5000 * Yuan, Fee: 5 * Yuan, IdentNo: "110101199001010002", RealName: "李四", Account: "4021000000000002",
		Purpose: "经营周转，期限十二个月", Memo1: "备注一", Memo2: "备注二",
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

// creditorAnswer is the document of an answer of about 1 KB.
const creditorAnswer = "\uFEFF" + `<?xml version="1.0" encoding="utf-8"?><pReq><pMerBillNo>C20141124000001</pMerBillNo><pMerDate>20141124</pMerDate><pBidNo>BID20141124000001</pBidNo>` +
	`<pContractNo>HT20141124000001</pContractNo><pAuthAmt>5000.00</pAuthAmt><pTrdAmt>5000.00</pTrdAmt><pFee>5.00</pFee><pAccount>4021000000000002</pAccount>` +
	`<pAccountDealNo>CRE20141124052810</pAccountDealNo><pBidDealNo>BID20141124052802</pBidDealNo><pBusiType>1</pBusiType><pTransferAmt>5005.00</pTransferAmt>` +
	`<pStatus>0</pStatus><pP2PBillNo>TND20141124022912</pP2PBillNo><pIpsTime>20141124101112</pIpsTime><pMemo1><![CDATA[备注一]]></pMemo1>` +
	`<pMemo2><![CDATA[备注二，投资人登记时提交，平台原样返回，供商户核对订单使用，长度不超过一百个字符]]></pMemo2><pMemo3></pMemo3></pReq>`

// floorSeal is the floor of sealing: encrypt, Base64, MD5.
func floorSeal(b *testing.B, document []byte) {
	m := TestMerchant()
	block, err := des.NewTripleDESCipher([]byte(m.Key))
	require.NoError(b, err)
	padded := make([]byte, len(document)/8*8+8)
	copy(padded, document)
	encoded := make([]byte, base64.StdEncoding.EncodedLen(len(padded)))
	text := make([]byte, 0, len(encoded)+len(m.Cert)+6)
	out := make([]byte, len(padded))
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		cipher.NewCBCEncrypter(block, []byte(m.IV)).CryptBlocks(out, padded)
		base64.StdEncoding.Encode(encoded, out)
		text = append(append(append(text[:0], m.MerchantCode...), encoded...), m.Cert...)
		sum := md5.Sum(text)
		_ = hex.EncodeToString(sum[:])
	}
}

// floorOpen is the floor of opening, on one core: MD5, Base64, decrypt.
func floorOpen(b *testing.B, document []byte) {
	m := TestMerchant()
	block, err := des.NewTripleDESCipher([]byte(m.Key))
	require.NoError(b, err)
	keys, err := envelope.NewKeys(m.MerchantCode, m.Cert, m.Key, m.IV)
	require.NoError(b, err)
	body := keys.Encrypt(document)
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	text := make([]byte, 0, len(body)+len(m.Cert)+32)
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		text = append(append(append(append(text[:0], m.MerchantCode...), "MG00000F"...), body...), m.Cert...)
		sum := md5.Sum(text)
		_ = hex.EncodeToString(sum[:])
		n, err := base64.StdEncoding.Decode(raw, []byte(body))
		if err != nil {
			b.Fatal(err)
		}
		cipher.NewCBCDecrypter(block, []byte(m.IV)).CryptBlocks(raw[:n], raw[:n])
	}
}

// benchSeal measures a request from struct to sealed body: defaults,
// validation, document, encryption, signature.
func benchSeal[Q any, R Response](b *testing.B, op *operation[Q, R], req Q) {
	c := benchClient(b)
	filled := req
	_, _, err := prepare(c, op, &filled)
	require.NoError(b, err)
	document, err := codec.Marshal(&filled, op.variant.Text)
	require.NoError(b, err)
	b.Run("sdk", func(b *testing.B) {
		b.SetBytes(int64(len(document)))
		b.ReportAllocs()
		for range b.N {
			r := req
			if _, _, err := prepare(c, op, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) { floorSeal(b, document) })
}

func BenchmarkSeal(b *testing.B) {
	b.Run("1KB", func(b *testing.B) { benchSeal(b, registerCreditor, creditorRequest()) })
	b.Run("repay300", func(b *testing.B) { benchSeal(b, repay, repayRequest(300)) })
	for _, rows := range []int{1, 10, 100, 1000, 3000} {
		b.Run(fmt.Sprintf("transfer%d", rows), func(b *testing.B) { benchSeal(b, transfer, transferRequest(rows)) })
	}
}

func sealedBy(b *testing.B, c *Client, document string) answer {
	b.Helper()
	body := c.seal.keys.Encrypt([]byte(document))
	return answer{c.MerchantCode(), "MG00000F", "操作成功", body, c.seal.keys.SignAnswer("MG00000F", "操作成功", body)}
}

// benchOpen measures an answer from its five fields to the typed response.
func benchOpen[Q any, R Response](b *testing.B, op *operation[Q, R], document string) {
	c := benchClient(b)
	a := sealedBy(b, c, document)
	b.Run("sdk", func(b *testing.B) {
		b.SetBytes(int64(len(document)))
		b.ReportAllocs()
		for range b.N {
			if err := c.open(op, a, Synchronous, op.newResponse()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) { floorOpen(b, []byte(document)) })
}

func BenchmarkOpen(b *testing.B) {
	b.Run("1KB", func(b *testing.B) { benchOpen(b, registerCreditor, creditorAnswer) })
	for _, rows := range []int{1, 10, 100, 1000, 3000} {
		b.Run(fmt.Sprintf("transfer%d", rows), func(b *testing.B) { benchOpen(b, transfer, transferAnswer(rows)) })
	}
}

// BenchmarkInbound measures a notification from the bytes of the request to the
// typed response.
func BenchmarkInbound(b *testing.B) {
	c := benchClient(b)
	a := sealedBy(b, c, creditorAnswer)
	form := url.Values{}
	for _, name := range answerFields {
		form.Set(name, *a.field(name))
	}
	body := form.Encode()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for range b.N {
		r := httptest.NewRequest(http.MethodPost, "/ips/notify/register-creditor", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if _, err := c.ParseNotification(r, OpRegisterCreditor); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip measures a whole web-service call on loopback against a
// server that always answers the same.
func BenchmarkRoundTrip(b *testing.B) {
	var reply []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(reply)
	}))
	defer srv.Close()
	cfg := TestMerchant()
	cfg.Environment = EnvironmentAt(srv.URL)
	cfg.NotifyURL = "https://p2p.example.com/ips/notify"
	c, err := NewClient(cfg)
	require.NoError(b, err)
	a := sealedBy(b, c, transferAnswer(1))
	var result bytes.Buffer
	result.WriteString(`<?xml version="1.0" encoding="utf-8"?><pReq>`)
	for _, name := range answerFields {
		fmt.Fprintf(&result, "<%s>%s</%s>", name, *a.field(name), name)
	}
	result.WriteString("</pReq>")
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(result.String())
	reply = []byte(`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<TransferResponse xmlns="http://tempuri.org/"><TransferResult>` + escaped + `</TransferResult></TransferResponse></soap:Body></soap:Envelope>`)
	req := transferRequest(1)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Transfer(context.Background(), req); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
