package wire

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEncodeForm(t *testing.T) {
	t.Parallel()
	got := EncodeForm(
		Pair{"pMerCode", "808801"},
		Pair{"pErrMsg", "操作 成功"},
		Pair{"p3DesXmlPara", "a+b/c=="},
		Pair{"pSign", "-_.!*()~'&"},
	)
	assert.Equal(t, "pMerCode=808801&pErrMsg=%e6%93%8d%e4%bd%9c+%e6%88%90%e5%8a%9f"+
		"&p3DesXmlPara=a%2bb%2fc%3d%3d&pSign=-_.!*()%7e%27%26", got)
}

func TestEncodeFormIsReadBack(t *testing.T) {
	t.Parallel()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	values, err := url.ParseQuery(EncodeForm(Pair{"a", string(every)}, Pair{"b", ""}))
	require.NoError(t, err)
	assert.Equal(t, url.Values{"a": {string(every)}, "b": {""}}, values)
}
