package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ips-p2p/ips/internal/envelope"
	"github.com/ips-p2p/ips/internal/sandbox/wire"
)

// The codes that are given before a message reaches the engine. MG00001F and
// MG00006F were seen on the real platform; no evidence gives the others, they
// are our choice of free numbers beside those two.
const (
	codeDone     = "MG00000F"
	codeSystem   = "MG00001F" // the sandbox itself failed
	codeMerchant = "MG00002F" // nobody has this merchant code
	codeSign     = "MG00003F" // the signature does not hold
	codeCipher   = "MG00004F" // the body cannot be decrypted
	codeDocument = "MG00005F" // the document is not a <pReq> as it should be
	codeRequired = "MG00006F" // a required field is empty
	codeForm     = "MG00009F" // the fields of the envelope are mixed or doubled

	// The queries have codes of their own.
	codeQueryDone   = "0000"
	codeQueryFailed = "9999"
	// Those of the account information, as one merchant's program notes them.
	codeQueryMerchant = "01" // no such merchant
	codeQueryAccount  = "02" // no such account
)

// refusal is an answer to a message that the engine never saw.
type refusal struct{ code, text string }

// refuse words a refusal as the platform does: operation, reason, code.
func refuse(op wire.Operation, code, format string, args ...any) *refusal {
	return &refusal{code, op.Title + "失败，" + fmt.Sprintf(format, args...) + "，错误码" + code}
}

// required is the platform's own text for an empty field.
func required(field string) *refusal {
	return &refusal{codeRequired, "必要参数(" + field + ")不能为空！"}
}

func refuseCipher(op wire.Operation, err error) *refusal {
	reason := "报文解密失败"
	switch {
	case errors.Is(err, envelope.ErrBase64):
		reason = "报文不是Base64编码"
	case errors.Is(err, envelope.ErrLength):
		reason = "报文长度不是8字节的整数倍"
	case errors.Is(err, envelope.ErrPadding):
		reason = "报文解密失败，填充不正确"
	}
	return refuse(op, codeCipher, "%s", reason)
}

// refuseDocument names the element at fault and never shows its value.
func refuseDocument(op wire.Operation, err error) *refusal {
	var fault *wire.DocumentError
	if !errors.As(err, &fault) {
		return refuse(op, codeDocument, "报文格式错误")
	}
	where := fault.Element
	if fault.Row > 0 {
		where = fmt.Sprintf("第%d行%s", fault.Row, where)
	}
	for err, text := range documentProblems {
		if errors.Is(fault.Err, err) {
			return refuse(op, codeDocument, "%s", strings.ReplaceAll(text, "*", where))
		}
	}
	return refuse(op, codeDocument, "报文不是合法的XML，行(%d)", max(fault.Line, 1))
}

// documentProblems are the words for what is wrong with a document; the * is
// where.
var documentProblems = map[error]string{
	wire.ErrDoubled:  "报文字段重复，字段(*)",
	wire.ErrNesting:  "报文字段嵌套不正确，字段(*)",
	wire.ErrName:     "报文标签不允许有属性或命名空间，字段(*)",
	wire.ErrText:     "报文标签之间有多余内容",
	wire.ErrTooMany:  "报文字段过多",
	wire.ErrDTD:      "报文不允许有DTD声明或处理指令",
	wire.ErrRoot:     "报文根节点不是pReq",
	wire.ErrTrailing: "报文结束后有多余内容",
	wire.ErrCharset:  "报文编码不正确，只支持UTF-8、GBK、GB18030",
}
