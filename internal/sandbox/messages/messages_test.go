package messages

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ips-p2p/ips/internal/sandbox/find"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"id number":    {"<pIdentNo>110101199001010001</pIdentNo>", "<pIdentNo>110***********0001</pIdentNo>"},
		"mobile":       {"<pMobileNo>13800000000</pMobileNo>", "<pMobileNo>138****0000</pMobileNo>"},
		"card":         {"<pBankCard>6222000000000000001</pBankCard>", "<pBankCard>622************0001</pBankCard>"},
		"end of card":  {"<pBkAccNo>0001</pBkAccNo>", "<pBkAccNo>0001</pBkAccNo>"},
		"short":        {"<pIdentNo>11010</pIdentNo>", "<pIdentNo>*****</pIdentNo>"},
		"CDATA":        {"<pIdentNo><![CDATA[110101199001010001]]></pIdentNo>", "<pIdentNo>110***********0001</pIdentNo>"},
		"tag at fault": {"<pIdentNo >110101199001010001</pIdentNo >", "<pIdentNo >110***********0001</pIdentNo >"},
		"a prefix":     {"<a:pIdentNo>110101199001010001</a:pIdentNo>", "<a:pIdentNo>110***********0001</a:pIdentNo>"},
		"another case": {"<PIDENTNO a='b'>110101199001010001</PIDENTNO>", "<PIDENTNO a='b'>110***********0001</PIDENTNO>"},
		"cut off":      {"<pIdentNo>1101011990010100", "<pIdentNo>110*********0100"},
		"nested":       {"<pIdentNo><b>110101199001010001</b></pIdentNo>", "<pIdentNo><b>******************</b></pIdentNo>"},
		"all of them": {"<pFromIdentNo>110101199001010001</pFromIdentNo><pToIdentNo>110101199001010002</pToIdentNo>",
			"<pFromIdentNo>110***********0001</pFromIdentNo><pToIdentNo>110***********0002</pToIdentNo>"},
		"nothing to hide": {"<pIpsAcctNo>4021000000000001</pIpsAcctNo><pIdentType>1</pIdentType>",
			"<pIpsAcctNo>4021000000000001</pIpsAcctNo><pIdentType>1</pIdentType>"},
	} {
		assert.Equal(t, c.want, Mask(c.in), name)
	}
}

// A search knows what has come since the last one, and nothing that was dropped.
func TestRecorderSearches(t *testing.T) {
	t.Parallel()
	var r Recorder
	all := func(*Message) bool { return true }
	for i := range 2*keptMessages + 500 {
		r.Add(Message{Order: fmt.Sprintf("R%d.", i), XML: strings.Repeat("<pRow/>", 100)})
		if i%400 != 0 {
			continue
		}
		for j := 0; j <= i; j += 100 {
			found, total := r.Newest(fmt.Sprintf("R%d.", j), find.Page{}, all)
			if j <= i-keptMessages {
				assert.Zero(t, total, "%d after %d", j, i)
				continue
			}
			require.Equal(t, 1, total, "%d after %d", j, i)
			assert.Equal(t, int64(j+1), found[0].Seq)
		}
	}
	found, total := r.Newest("<pRow/><pRow/>", find.Page{Skip: 1, Limit: 2}, func(m *Message) bool { return m.Seq%2 == 0 })
	assert.Equal(t, keptMessages/2, total)
	assert.Equal(t, []int64{2498, 2496}, []int64{found[0].Seq, found[1].Seq})
	r.Forget()
	_, total = r.Newest("R2400.", find.Page{}, all)
	assert.Zero(t, total)
	r.Add(Message{Order: "R1."})
	found, _ = r.Newest("R1.", find.Page{}, all)
	assert.Equal(t, int64(2501), found[0].Seq)
}

func TestRecorderKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var r Recorder
	for range keptMessages + 10 {
		r.Add(Message{})
	}
	all := r.List()
	require.Len(t, all, keptMessages)
	assert.Equal(t, int64(11), all[0].Seq)
	assert.Equal(t, int64(keptMessages+10), all[keptMessages-1].Seq)
}

func TestRecorderBoundsItsMemory(t *testing.T) {
	t.Parallel()
	var r Recorder
	for range 5 {
		r.Add(Message{XML: strings.Repeat("x", keptBytes/2)})
	}
	assert.Len(t, r.List(), 2)
	for range 5 {
		r.Add(Message{Text: strings.Repeat("x", keptBytes/4), Refusal: strings.Repeat("x", keptBytes/4)})
	}
	assert.Len(t, r.List(), 2, "texts count as well")
	for range 5 {
		r.Add(Message{Fields: make([]wire.Pair, keptBytes/64)})
	}
	assert.Len(t, r.List(), 2, "so do fields with nothing in them")
	r.Add(Message{XML: strings.Repeat("x", 2*keptBytes)})
	assert.Len(t, r.List(), 1, "the newest stays, however large")
	r.Add(Message{})
	assert.Len(t, r.List(), 1)
	assert.Zero(t, r.bytes)
}
