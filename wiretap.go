package ips

import (
	"errors"
	"regexp"
	"strings"

	"github.com/ips-p2p/ips/internal/codec"
	"github.com/ips-p2p/ips/internal/soap"
)

// Direction is the way a message went.
type Direction int

// The directions, as the merchant sees them.
const (
	Sent     Direction = iota + 1 // by the client to IPS
	Received                      // from IPS, in whichever way
)

// String gives "sent" or "received".
func (d Direction) String() string {
	switch d {
	case Sent:
		return "sent"
	case Received:
		return "received"
	default:
		return "unknown"
	}
}

// WireMessage is one message as [WithWireTap] shows it.
type WireMessage struct {
	Operation Operation   // what the message is about
	Direction Direction   // which way it went
	Via       Via         // of a received message
	OrderNo   string      // of a sent message
	Envelope  []FormField // the fields as they go over the wire, in order
	Document  string      // the decrypted XML, "" where there is none, it could not be believed, or is no XML
	Err       error       // why a received message was refused, nil if it was not
}

// WithWireTap calls tap for every message that the client seals or opens, for
// debugging. Id numbers, mobile numbers, e-mail addresses and bank cards in
// the document are masked. The tap is called on the caller's goroutine, from
// several at once if the client is used so.
func WithWireTap(tap func(WireMessage)) Option {
	return func(c *Client) error {
		if tap == nil {
			return errors.New("ips: WithWireTap: nil function")
		}
		c.tap = tap
		return nil
	}
}

// WithUnmaskedWireTap is [WithWireTap] without the mask: the documents hold
// personal data in full. It has no place in production.
func WithUnmaskedWireTap(tap func(WireMessage)) Option {
	return func(c *Client) error {
		c.tapRaw = true
		return WithWireTap(tap)(c)
	}
}

const personalElements = `pIdentNo|pFromIdentNo|pToIdentNo|pFIdentNo|pMobileNo|pEmail|pBkAccNo|pBankCard`

// personalText also takes prefixes and attributes, which nobody has seen yet.
var personalText = regexp.MustCompile(`(?s)(<(?:[\w.-]+:)?(?:` + personalElements + `)(?:\s[^>]*)?>).*?(</(?:[\w.-]+:)?(?:` + personalElements + `)\s*>)`)

func (c *Client) tapDocument(document string) string {
	if c.tapRaw {
		return document
	}
	if strings.HasPrefix(document, "\xFF\xFE") || strings.HasPrefix(document, "\xFE\xFF") {
		return "(UTF-16, not shown)" // the pattern would find nothing to mask
	}
	return personalText.ReplaceAllString(document, "${1}***${2}")
}

func (c *Client) tapSent(op *OperationInfo, orderNo string, document []byte, s sealed) {
	if c.tap == nil {
		return
	}
	names := envelopeNames(op.ArgNames)
	c.tap(WireMessage{
		Operation: op.Operation,
		Direction: Sent,
		OrderNo:   orderNo,
		Envelope:  []FormField{{names[0], s.merCode}, {names[1], s.body}, {names[2], s.sign}},
		Document:  c.tapDocument(string(document)),
	})
}

func (c *Client) tapReceived(op *OperationInfo, via Via, document string, a answer, err error) {
	if c.tap == nil {
		return
	}
	// In what is no XML the mask could miss what it is there for.
	if _, broken := codec.Unmarshal(document, new(struct{})); err != nil && broken != nil {
		document = ""
	}
	var fields []FormField
	for _, name := range answerFields {
		fields = append(fields, FormField{name, *a.field(name)})
	}
	c.tap(WireMessage{
		Operation: op.Operation,
		Direction: Received,
		Via:       via,
		Envelope:  fields,
		Document:  c.tapDocument(document),
		Err:       err,
	})
}

// tapQuery shows a query, which has no document. The account that it asks for
// is the caller's own argument.
func (c *Client) tapQuery(op *OperationInfo, params []soap.Param) {
	if c.tap == nil {
		return
	}
	var fields []FormField
	for _, p := range params {
		fields = append(fields, FormField(p))
	}
	c.tap(WireMessage{Operation: op.Operation, Direction: Sent, Envelope: fields})
}
