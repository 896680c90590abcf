// Package messages records what went over the wire, for people to see.
package messages

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// Direction says which way a message went.
type Direction string

// The directions of a message, seen from the sandbox.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Via says by what way a message went.
type Via string

// The ways of a message. An answer to a page goes by the browser's return.
const (
	ViaPage   Via = "page"
	ViaReturn Via = "return"
	ViaSOAP   Via = "soap"
	ViaNotify Via = "notify"
)

// Message is a message that came in or went out, kept for a person who wants
// to see the wire.
type Message struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"` // by the sandbox's clock
	Direction Direction `json:"direction"`
	Via       Via       `json:"via"`
	Peer      string    `json:"-"` // remote address, or the URL a notice goes to
	Merchant  string    `json:"merchant,omitempty"`
	Op        string    `json:"op,omitempty"`
	Order     string    `json:"order,omitempty"` // pMerBillNo, if it could be read
	Code      string    `json:"code,omitempty"`  // pErrCode of an answer
	Text      string    `json:"text,omitempty"`  // pErrMsg of an answer
	// Verified says whether the message's signature held. What the sandbox
	// signed itself is always verified; an answer that it could not sign, for
	// want of a known merchant, is not.
	Verified bool          `json:"verified"`
	Sign     string        `json:"-"` // pSign of what the sandbox sent
	Took     time.Duration `json:"-"` // from the request to its answer
	// XML is the decrypted document, "" when there was none or it was never
	// decrypted.
	XML string `json:"xml,omitempty"`
	// Fields is the envelope as it came, of a request.
	Fields []wire.Pair `json:"-"`
	// Refusal is why a request was refused before the platform looked at what
	// it wants, "" if it was not.
	Refusal string `json:"refusal,omitempty"`
	// Fault is what a fault did to it.
	Fault string `json:"fault,omitempty"`
}

func (m *Message) size() int {
	n := len(m.XML) + len(m.Text) + len(m.Refusal) + len(m.Peer)
	for _, f := range m.Fields {
		n += len(f.Name) + len(f.Value) + 32 // of the pair itself
	}
	return n
}

// Bounds of the record of messages. A batch of 3000 rows is about a megabyte.
const (
	keptMessages = 1000
	keptBytes    = 32 << 20
)

// Recorder keeps the newest messages within both bounds. Added, if not nil, is
// told of each.
type Recorder struct {
	Added func()

	mu    sync.Mutex
	seq   int64
	bytes int
	kept  []Message
	words find.Index // of them, as far as somebody has searched
}

// Add records a message and numbers it.
func (r *Recorder) Add(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	m.Seq = r.seq
	r.kept = append(r.kept, m)
	r.bytes += m.size()
	drop := 0
	for len(r.kept)-drop > keptMessages || r.bytes > keptBytes && len(r.kept)-drop > 1 {
		r.bytes -= r.kept[drop].size()
		r.kept[drop] = Message{}
		drop++
	}
	r.kept = r.kept[drop:]
	if r.Added != nil {
		r.Added()
	}
}

// Forget drops all messages.
func (r *Recorder) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.bytes, r.words = nil, 0, find.Index{}
}

// List copies the newest messages, oldest first.
func (r *Recorder) List() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// Newest copies a page of the messages that have a text and that takes accepts, and
// says how many there are.
func (r *Recorder) Newest(text string, p find.Page, takes func(*Message) bool) (list []Message, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var chosen []int
	first := int(r.seq) + 1 - len(r.kept)
	take := func(i int) {
		if takes(&r.kept[i]) {
			chosen = append(chosen, i)
		}
	}
	if text == "" {
		for i := range r.kept {
			take(i)
		}
	} else {
		r.words.Forget(first)
		for seq := max(r.words.Next(), first); seq <= int(r.seq); seq++ {
			m := r.kept[seq-first]
			r.words.Add(seq, 0, m.Order, m.Code, m.Text, m.Refusal, m.XML)
		}
		for _, seq := range r.words.Find(text) {
			if seq >= first {
				take(seq - first)
			}
		}
	}
	return find.At(r.kept, find.Take(chosen, p, nil)), len(chosen)
}

// secretNames are the elements whose text names a person too closely.
const secretNames = `(?:\w+:)?(?:pIdentNo|pFromIdentNo|pToIdentNo|pFIdentNo|pTIdentNo|pMobileNo|pBankCard|pBkAccNo)`

// secretElement finds one. It is lax on purpose: documents that the reader
// refused are shown too.
var secretElement = regexp.MustCompile(`(?is)(<` + secretNames + `\b[^>]*>)(.*?)(</` + secretNames + `|$)`)

var secretName = regexp.MustCompile(`^` + secretNames + `$`)

// MaskFields is a document on which is done what [Mask] does to its text.
func MaskFields(m engine.Message) engine.Message {
	m = slices.Clone(m)
	for i := range m {
		if secretName.MatchString(m[i].Name) && len(m[i].Value) > 4 {
			m[i].Value = engine.MaskMiddle(m[i].Value)
		}
		m[i].Rows = slices.Clone(m[i].Rows)
		for j, row := range m[i].Rows {
			m[i].Rows[j] = MaskFields(row)
		}
	}
	return m
}

// Mask hides all but the ends of the id numbers, bank cards and mobiles in a
// document.
func Mask(document string) string {
	return secretElement.ReplaceAllStringFunc(document, func(element string) string {
		m := secretElement.FindStringSubmatch(element)
		value := m[2]
		if inner, ok := strings.CutPrefix(value, "<![CDATA["); ok {
			value = strings.TrimSuffix(inner, "]]>")
		}
		if len(value) > 4 { // the last four digits of a card are not the card
			value = engine.MaskMiddle(value)
		}
		return m[1] + value + m[3]
	})
}
