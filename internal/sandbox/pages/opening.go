package pages

import (
	"strings"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// againSuffix is the suffix of the field into which a password is typed once more.
const againSuffix = "Again"

// readOpening reads the form of account opening: what the engine wants, and
// what is wrong with it, by the name of the field.
func readOpening(values map[string]string) (typed, wrong map[string]string) {
	typed = make(map[string]string)
	for _, name := range []string{"loginPassword", "tradePassword", "question", "answer", "bank"} {
		typed[name] = values[name]
	}
	// People type card numbers as they stand on the card, in groups.
	typed["card"] = strings.NewReplacer(" ", "", "-", "").Replace(values["card"])
	wrong = engine.DetailProblems(typed)
	for _, name := range []string{"loginPassword", "tradePassword"} {
		if wrong[name] == "" && values[name] != values[name+againSuffix] {
			wrong[name+againSuffix] = "两次输入的" + map[string]string{"loginPassword": "登录密码", "tradePassword": "交易密码"}[name] + "不一致，请重新输入"
		}
	}
	return typed, wrong
}

// openingGroups are the fields of account opening. What was typed is kept, but
// for the passwords.
func openingGroups(p problems) []inputGroup {
	return fill([]inputGroup{
		{Legend: "设置密码", Fields: []inputField{
			{Name: "loginPassword", Label: "登录密码", Type: "password", Autocomplete: "new-password", Hint: "6至32个字符。登录时需验证，保护账户信息。"},
			{Name: "loginPassword" + againSuffix, Label: "再输一次登录密码", Type: "password", Autocomplete: "new-password"},
			{Name: "tradePassword", Label: "交易密码", Type: "password", Autocomplete: "new-password", Hint: "6至32个字符。交易时需输入，与登录密码不一样，安全级别更高。"},
			{Name: "tradePassword" + againSuffix, Label: "再输一次交易密码", Type: "password", Autocomplete: "new-password"},
		}},
		{Legend: "设置密码保护", Note: "忘记登录密码或交易密码时，可以通过回答密码保护问题重置密码。", Fields: []inputField{
			{Name: "question", Label: "密码保护问题", Options: questions()},
			{Name: "answer", Label: "密码保护答案", Type: "text", Autocomplete: "off"},
		}},
		{Legend: "设置银行账户", Note: "提现转入该银行卡；签有委托授权书的，代扣充值也从该卡扣款。", Fields: []inputField{
			{Name: "bank", Label: "开户银行", Options: bankNames()},
			{Name: "card", Label: "银行卡号", Type: "text", Autocomplete: "off", InputMode: "numeric", Hint: "15至19位数字。本页面为沙箱模拟，请勿填写真实卡号。"},
		}},
	}, p)
}

// fill puts into the fields what was typed and what is wrong with it.
func fill(groups []inputGroup, p problems) []inputGroup {
	for i := range groups {
		for j := range groups[i].Fields {
			f := &groups[i].Fields[j]
			f.Error = p.fields[f.Name]
			if f.Type != "password" {
				f.Value = p.typed[f.Name]
			}
		}
	}
	return groups
}

// questions to choose from. The first stands in the platform's own picture of
// the page, the others are our choice.
func questions() []string {
	return []string{"我的出生地是哪里", "我就读的小学叫什么名字", "我父亲的名字是什么", "我母亲的名字是什么", "我的第一位老师叫什么名字"}
}

func bankNames() []string {
	var names []string
	for _, b := range engine.Banks() {
		names = append(names, b.Name)
	}
	return names
}
