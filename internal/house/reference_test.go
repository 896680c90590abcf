package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/doc"
	doccomment "go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/codec"
)

// TestReference holds docs/reference.md to the description of the operations
// and to the comments in the source, which are all that it is made of, and
// docs/reference.zh-CN.md to the same and to reference.zh-CN.txt.
func TestReference(t *testing.T) {
	for _, zh := range []bool{false, true} {
		file := map[bool]string{false: "docs/reference.md", true: "docs/reference.zh-CN.md"}[zh]
		t.Run(file, func(t *testing.T) {
			r := newReference(t)
			if zh {
				r.chinese = readCatalogue(t)
			}
			holdReference(t, file, r.page())
			if zh {
				r.chinese.check(t)
			}
		})
	}
}

func holdReference(t *testing.T, file, got string) {
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	const rewrite = "go test ./internal/house -update"
	want, err := os.ReadFile(file)
	require.NoError(t, err, "write it with: %s", rewrite)
	if got == string(want) {
		return
	}
	is, should := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	n := 0
	for n < min(len(is), len(should)) && is[n] == should[n] {
		n++
	}
	line := func(lines []string) string { return strings.Join(lines[min(n, len(lines)):min(n+1, len(lines))], "") }
	t.Errorf("%s is stale; rewrite it with: %s\nfirst difference, line %d\n  is:     %s\n  should: %s",
		file, rewrite, n+1, line(is), line(should))
}

// TestReferenceComments wants of the comments what the reference takes from
// them: a meaning of every field, a Chinese term of every request field, and
// the rules between fields of every request that has some.
func TestReferenceComments(t *testing.T) {
	r := newReference(t)
	var missing []string
	for _, op := range r.ops {
		request := r.original(requestType(op))
		for _, s := range []reflect.Type{request, responseType(op)} {
			r.each(s, "", func(owner reflect.Type, f *codec.Field, _ string) {
				text := r.comment(owner, f.Index).text
				switch {
				case text == "":
					missing = append(missing, fmt.Sprintf("comment of %s.%s (%s)", owner.Name(), f.GoName, f.Name))
				case s == request && f.GoName != "_" && term(text, f.Name) == "":
					missing = append(missing, fmt.Sprintf("Chinese term in the comment of %s.%s, as in (中文 %s)", owner.Name(), f.GoName, f.Name))
				}
			})
		}
		switch rules, checked := r.rules(request), r.checked[request.Name()]; {
		case checked && rules == "":
			missing = append(missing, fmt.Sprintf("list %q in the comment of %s, whose check method knows them", rulesTitle, request.Name()))
		case !checked && rules != "":
			missing = append(missing, fmt.Sprintf("check method of %s, whose comment lists rules", request.Name()))
		}
	}
	assert.Empty(t, missing)
}

// reference renders the page. Nothing in it knows an operation by name.
type reference struct {
	t       *testing.T
	ops     []ips.OperationInfo
	fset    *token.FileSet
	pkg     *doc.Package
	types   map[string]*doc.Type
	checked map[string]bool       // types with a check method
	anchors map[string]string     // Go name, of methods with their type, to anchor
	enums   []*doc.Type           // enumerations that stand in requests and answers
	used    map[string][]string   // enumeration to the wire names that have it
	values  map[string][]constant // named type to its constants

	// Of the descriptions, what package ips does not export.
	argNames map[ips.Operation]bool
	variants map[ips.Operation]string // text of the element that tells operations of one request type apart
	out      strings.Builder
	chinese  *catalogue // nil: the page is in English
}

type constant struct{ name, value, comment string }

func newReference(t *testing.T) *reference {
	r := &reference{
		t: t, ops: ips.Operations(), fset: token.NewFileSet(),
		types: map[string]*doc.Type{}, checked: map[string]bool{}, anchors: map[string]string{},
		used: map[string][]string{}, values: map[string][]constant{},
		argNames: map[ips.Operation]bool{}, variants: map[ips.Operation]string{},
	}
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(r.fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	// AllDecls: the check methods are not exported.
	r.pkg, err = doc.NewFromFiles(r.fset, files, reflect.TypeFor[ips.Client]().PkgPath(), doc.AllDecls|doc.PreserveAST)
	require.NoError(t, err)
	for _, typ := range r.pkg.Types {
		r.types[typ.Name] = typ
		r.checked[typ.Name] = slices.ContainsFunc(typ.Methods, func(m *doc.Func) bool { return m.Name == "check" })
		for _, group := range typ.Consts {
			r.values[typ.Name] = append(r.values[typ.Name], constants(group)...)
		}
	}
	for _, f := range files {
		ast.Inspect(f, r.description)
	}
	r.collect()
	return r
}

// description takes what the reference needs of newOperation[…](OperationInfo{…},
// operation{…}).
func (r *reference) description(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	generic, ok := call.Fun.(*ast.IndexListExpr)
	if !ok || fmt.Sprint(generic.X) != "newOperation" {
		return true
	}
	info, rest := parts(call.Args[0]), parts(call.Args[1])
	name := fmt.Sprint(info["Operation"])
	i := slices.IndexFunc(r.values["Operation"], func(c constant) bool { return c.name == name })
	op := ips.Operation(r.values["Operation"][i].value)
	r.argNames[op] = rest["argNames"] != nil
	if variant, ok := rest["variant"].(*ast.CompositeLit); ok {
		text, err := strconv.Unquote(variant.Elts[1].(*ast.BasicLit).Value)
		require.NoError(r.t, err, "variant of %s", op)
		r.variants[op] = text
	}
	return false
}

// parts are the values of a struct literal by the names of their fields.
func parts(literal ast.Expr) map[string]ast.Expr {
	all := map[string]ast.Expr{}
	for _, e := range literal.(*ast.CompositeLit).Elts {
		field := e.(*ast.KeyValueExpr)
		all[fmt.Sprint(field.Key)] = field.Value
	}
	return all
}

// requestType and responseType are the structs of an operation.
func requestType(op ips.OperationInfo) reflect.Type {
	req, err := ips.UnmarshalRequest(op.Operation, []byte("{}"))
	if err != nil {
		panic(err) // Operations lists it
	}
	return reflect.TypeOf(req)
}

func responseType(op ips.OperationInfo) reflect.Type {
	resp, err := ips.UnmarshalResponse(op.Operation, []byte("{}"))
	if err != nil {
		panic(err)
	}
	return reflect.TypeOf(resp).Elem()
}

// constants are those of a group, with the comment in front or behind.
func constants(group *doc.Value) []constant {
	var all []constant
	for _, s := range group.Decl.Specs {
		spec := s.(*ast.ValueSpec)
		c := constant{name: spec.Names[0].Name, comment: cmp.Or(spec.Doc.Text(), spec.Comment.Text())}
		if len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				c.value, _ = strconv.Unquote(lit.Value)
			}
		}
		all = append(all, c)
	}
	return all
}

// collect finds the enumerations, and the anchors that the page will have.
func (r *reference) collect() {
	for _, op := range r.ops {
		r.anchors["Client."+op.Method] = string(op.Operation)
		for _, s := range []reflect.Type{requestType(op), responseType(op)} {
			r.anchors[s.Name()] = strings.ToLower(s.Name())
			r.each(s, "", func(_ reflect.Type, f *codec.Field, _ string) {
				if f.Row != "" {
					r.anchors[f.Type.Elem().Name()] = strings.ToLower(f.Type.Elem().Name())
				}
				if name := f.Type.Name(); f.Type.Kind() == reflect.String && len(r.values[name]) > 0 && !slices.Contains(r.used[name], f.Name) {
					r.used[name] = append(r.used[name], f.Name)
				}
			})
		}
	}
	for _, typ := range r.pkg.Types {
		if len(r.used[typ.Name]) == 0 {
			continue
		}
		r.enums = append(r.enums, typ)
		r.anchors[typ.Name] = strings.ToLower(typ.Name)
		for _, c := range r.values[typ.Name] {
			r.anchors[c.name] = strings.ToLower(typ.Name)
		}
	}
	for _, c := range r.values["Code"] {
		r.anchors[c.name] = strings.ToLower(c.name)
	}
}

// each visits the elements of a document, those of rows behind their list.
func (r *reference) each(s reflect.Type, path string, visit func(owner reflect.Type, f *codec.Field, path string)) {
	fields := codec.Fields(s)
	for i := range fields {
		f := &fields[i]
		visit(s, f, path)
		if f.Row != "" {
			r.each(f.Type.Elem(), path+f.Name+"/"+f.Row+"/", visit)
		}
	}
}

// note is what the source says of a field.
type note struct {
	owner  string // the struct that has it, which may be an embedded one
	text   string
	shared bool // the comment is that of the field before
}

// comment is the comment of a field of s: in front of it, behind it, or in
// front of the fields that it closes up to.
func (r *reference) comment(s reflect.Type, index []int) note {
	for _, i := range index[:len(index)-1] {
		s = s.Field(i).Type
	}
	members := r.members(s.Name())
	return members[index[len(index)-1]]
}

func (r *reference) members(name string) []note {
	typ := r.types[name]
	require.NotNil(r.t, typ, "no type %s in the source", name)
	for _, spec := range typ.Decl.Specs {
		spec := spec.(*ast.TypeSpec)
		switch def := spec.Type.(type) {
		case *ast.Ident: // type A B has the fields and the comments of B
			return r.members(def.Name)
		case *ast.StructType:
			var all []note
			last, end := note{}, 0
			for _, f := range def.Fields.List {
				n := note{owner: name, text: cmp.Or(f.Doc.Text(), f.Comment.Text())}
				if n.text == "" && r.fset.Position(f.Pos()).Line == end+1 {
					n.text, n.shared = last.text, true
				}
				last, end = n, r.fset.Position(f.End()).Line
				for range max(len(f.Names), 1) {
					all = append(all, n)
				}
			}
			return all
		}
	}
	r.t.Fatalf("%s is no struct", name)
	return nil
}

var (
	wireName = regexp.MustCompile(`\b(?:p|arg)[A-Z0-9]\w*`)
	brackets = regexp.MustCompile(` ?\(([^()]*)\)`)
	sic      = regexp.MustCompile(`\bsic\b`) // the wire spells it so
)

// terms takes "借款周期 pA, pB and 合同号 pC" apart: the Chinese terms of the wire
// names, and the pieces that are none.
func terms(inner string) (byName map[string]string, rest []string) {
	byName = map[string]string{}
	last := ""
	for _, piece := range strings.FieldsFunc(strings.ReplaceAll(inner, " and ", ","), func(r rune) bool { return r == ',' }) {
		piece = strings.TrimSpace(piece)
		name := wireName.FindString(piece)
		before, after, _ := strings.Cut(piece, name)
		if name == "" || strings.TrimSpace(after) != "" {
			rest = append(rest, piece)
			continue
		}
		last = cmp.Or(strings.TrimSpace(before), last)
		byName[name] = last
	}
	return byName, rest
}

// term is the Chinese term that stands before a wire name in brackets.
func term(text, wire string) string {
	for _, m := range brackets.FindAllStringSubmatch(unwrap(text), -1) {
		if names, _ := terms(m[1]); han(names[wire]) {
			return names[wire]
		}
	}
	return ""
}

func han(s string) bool { return strings.ContainsFunc(s, isHan) }

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// unwrap makes one line of a paragraph. Chinese needs no space at a line break.
func unwrap(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		line = strings.TrimSpace(line)
		if s := b.String(); s != "" && line != "" {
			before, after := []rune(s), []rune(line)
			if !isHan(before[len(before)-1]) || !isHan(after[0]) {
				b.WriteByte(' ')
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// wire is a wire name for a cell.
func (r *reference) wire(n note, f *codec.Field) string {
	text := "`" + f.Name + "`"
	if sic.MatchString(n.text) {
		text += r.in(" (sic)", "（原文如此）")
	}
	if f.Alias != "" {
		text += r.in(" or `", " 或 `") + f.Alias + "`"
	}
	return text
}

// meaning is a field's comment without what stands in other columns: the Go
// name in front and the wire names.
func (r *reference) meaning(n note, goName, chinese string) string {
	text := brackets.ReplaceAllStringFunc(unwrap(n.text), func(group string) string {
		names, rest := terms(brackets.FindStringSubmatch(group)[1])
		rest = slices.DeleteFunc(rest, sic.MatchString)
		switch {
		case len(rest) == 0:
			return ""
		case len(names) == 0:
			return group
		}
		return " (" + strings.Join(rest, ", ") + ")"
	})
	if !n.shared {
		text = withoutName(text, goName)
	}
	if text == "" {
		return "–" // TestReferenceComments says whose it is
	}
	if before, after, ok := strings.Cut(text, "of the request"); ok {
		if before = strings.TrimSpace(before); before != "" {
			before += ", "
		}
		text = before + "as in the request" + after
	}
	text = capital(text)
	switch {
	case chinese == "":
	case strings.HasPrefix(text, "As in the request"):
		text = chinese + ", a" + text[1:]
	case !strings.Contains(text, chinese):
		text = chinese + ". " + text
	}
	return r.say(r.inline(text))
}

func withoutName(text, goName string) string {
	for _, verb := range []string{" is ", " are ", " reports "} {
		text = strings.TrimPrefix(text, goName+verb)
	}
	return text
}

// capital writes the first letter large, unless it is a wire name's.
func capital(s string) string {
	if loc := wireName.FindStringIndex(s); loc != nil && loc[0] == 0 {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// inline renders a comment of one paragraph for a cell of a table.
func (r *reference) inline(text string) string {
	return strings.Join(r.blocks(text), " ")
}

// blocks renders a comment as Markdown, one string for each block.
func (r *reference) blocks(text string) []string {
	var out []string
	for _, b := range r.pkg.Parser().Parse(text).Content {
		switch b := b.(type) {
		case *doccomment.Paragraph:
			out = append(out, r.text(b.Text))
		case *doccomment.Code:
			out = append(out, "```go\n"+strings.TrimRight(b.Text, "\n")+"\n```")
		case *doccomment.List:
			var items []string
			for _, item := range b.Items {
				for _, c := range item.Content {
					items = append(items, "- "+r.text(c.(*doccomment.Paragraph).Text))
				}
			}
			out = append(out, strings.Join(items, "\n"))
		}
	}
	return out
}

var escapeMarkdown = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "*", `\*`, "`", "\\`", "[", `\[`)

func (r *reference) text(parts []doccomment.Text) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case doccomment.Plain:
			b.WriteString(wireName.ReplaceAllString(escapeMarkdown.Replace(string(p)), "`$0`"))
		case doccomment.Italic:
			b.WriteString(escapeMarkdown.Replace(string(p)))
		case *doccomment.DocLink:
			name := p.Name
			if p.Recv != "" {
				name = p.Recv + "." + name
			}
			if p.ImportPath != "" && p.ImportPath != r.pkg.ImportPath {
				name = p.ImportPath + "." + name
			}
			b.WriteString(r.link(name))
		case *doccomment.Link:
			fmt.Fprintf(&b, "[%s](%s)", r.text(p.Text), p.URL)
		}
	}
	// The comments of methods speak of Client.Transfer, the reader of Transfer.
	return strings.ReplaceAll(unwrap(b.String()), "`Client.", "`")
}

// link is a Go name as code, with a link where the page has a place for it.
func (r *reference) link(name string) string {
	if a := r.anchors[strings.TrimPrefix(name, "*")]; a != "" {
		return fmt.Sprintf("[`%s`](#%s)", name, a)
	}
	return "`" + name + "`"
}

func (r *reference) codes(codes []ips.Code) string {
	var all []string
	for _, code := range codes {
		text := "`" + string(code) + "`"
		for _, c := range r.values["Code"] {
			if c.value == string(code) {
				text = fmt.Sprintf("[%s](#%s)", text, r.anchors[c.name])
			}
		}
		all = append(all, text)
	}
	return cmp.Or(strings.Join(all, ", "), "–")
}

func (r *reference) printf(format string, args ...any) { fmt.Fprintf(&r.out, format, args...) }

func (r *reference) anchor(id string) { r.printf("<a id=\"%s\"></a>\n\n", id) }

// row writes a row of a table. Bars in the cells are the caller's to escape.
func (r *reference) row(cells ...string) {
	for i := range cells {
		cells[i] = cmp.Or(strings.TrimSpace(cells[i]), " ")
	}
	r.printf("| %s |\n", strings.Join(cells, " | "))
}

func (r *reference) head(cells ...string) {
	r.row(slices.Clone(cells)...)
	r.printf("|%s\n", strings.Repeat("---|", len(cells)))
}

func (r *reference) page() string {
	r.printf("%s", r.in(referenceHead, referenceHeadChinese))
	r.anchor("operations")
	r.printf("## %s\n\n", r.in("Operations 接口一览", "接口一览"))
	if r.chinese == nil {
		r.head("manual", "name 名称", "method", "transport", "endpoint", "envelope", "guide", "success", "pending")
	} else {
		r.head("手册", "名称", "方法", "方式", "地址", "信封", "场景", "成功", "处理中")
	}
	for _, op := range r.ops {
		var guide []string
		for _, n := range op.Scenarios {
			guide = append(guide, strconv.Itoa(n))
		}
		r.row(cmp.Or(op.Section, "–"), op.Chinese, r.method(op), r.say(op.Transport.String()), "`"+op.Endpoint+"`", r.envelope(op),
			cmp.Or(strings.Join(guide, ", "), "–"), r.codes(op.Success), r.codes(op.Pending))
	}
	r.printf("\n")
	for _, op := range r.ops {
		r.operation(op)
	}
	r.codeTable()
	r.enumTable()
	r.index()
	return strings.TrimRight(r.out.String(), "\n") + "\n"
}

const referenceHead = "# Reference of operations 接口参考\n" + `
[中文](reference.zh-CN.md)

Every operation of the interface (环迅支付 资金管理平台 v2.0) with every element of its request and its answer: wire
name, place, Go field, limit, meaning. The page is generated from the SDK's own description of the operations and from
the comments in its source, the same that drive the client, and a test fails when it is stale. Don't edit it: change
the source and run ` + "`go test ./internal/house -update`" + `

[Operations 接口一览](#operations) · [Codes 返回码](#codes) · [Enumerations 枚举值](#enumerations) · [Wire names 字段索引](#wire-names)

## How to read it 说明

- **Order.** The tables are in wire order, which is the order of the elements in the ` + "`<pReq>`" + ` document. Every element is
  written, also an empty one.
- **Required.** *yes*: must be given. *no*: may be empty. *rule*: the rules between fields below
  the table say when. *default*: the zero value stands for the text shown. *client*: left empty, the client's own address is
  taken. *fixed*: the SDK writes it, there is no Go field.
- **Names.** *sic*: the wire spells it so.
- **Text** is counted in characters, not bytes: 张三 are 2. Control characters and blank text are refused.
- **Amounts** are yuan with two decimals on the wire (` + "`12.00`" + `), N(9,2): at most 999999999.99, never negative. In Go an
  ` + "`Amount`" + ` counts fen 分: ` + "`12 * ips.Yuan`" + `. Answers may leave the decimals out.
- **Rates** are percent with two decimals: ` + "`45.12`" + ` is 45.12 %, in Go ` + "`45*ips.Percent + 12*ips.BasisPoint`" + `.
- **Dates** are ` + "`yyyyMMdd`" + `, times ` + "`yyyyMMddHHmmss`" + `, China Standard Time (UTC+8).
- **Envelope.** The document is encrypted and signed. Its three fields are called ` + "`argMerCode`, `arg3DesXmlPara`, `argSign`" + `
  (*arg…* in the table) or ` + "`pMerCode`, `p3DesXmlPara`, `pSign`" + ` (*p…*). The queries of balance, banks and
  account are not encrypted: their elements stand between ` + "`argMerCode` and `argSign`" + `, the memo behind.
- **Answers** have five fields: ` + "`pMerCode`, `pErrCode`, `pErrMsg`, `p3DesXmlPara`, `pSign`" + `. Any element of an answer may be
  missing or empty, then its Go field is the zero value; unknown ones are kept in ` + "`Reply.Extra`" + `.
  The answers to these three queries are not encrypted either.
- **Repetition.** What IPS does with the very same message sent twice is not known, but for an account opening (it is
  resumed) and the end of a bid (it is answered by the state of the bid). Whatever a repetition is told, a refusal says
  nothing of the first sending.

`

const referenceHeadChinese = "# 接口参考\n" + `
[English](reference.md)

接口（环迅支付 资金管理平台 v2.0）的每个操作，及其请求和应答的每个字段：报文字段名、位置、Go 字段、限制、含义。本页由 SDK 自己对操作的描述、
源码注释和译文表（` + "`internal/house/reference.zh-CN.txt`" + `）生成，与驱动客户端的是同一份；过时或缺译文时测试不通过。请勿直接修改：改源码或译文表，
再运行 ` + "`go test ./internal/house -update`" + `

[接口一览](#operations) · [返回码](#codes) · [枚举值](#enumerations) · [字段索引](#wire-names)

## 说明

- **顺序。** 表格按报文顺序排列，即 ` + "`<pReq>`" + ` 文档中字段的顺序。每个字段都会写出，空的也写。
- **必填。** *是*：必须给出。*否*：可以为空。*规则*：见表格下面的字段间规则。*默认*：零值代表所列的值。*客户端*：留空即用客户端自己的地址。
  *固定*：由 SDK 写入，没有 Go 字段。
- **原文如此**：报文中就是这样拼写的。
- **文本** 按字符计，不按字节：张三 是 2 个字符。控制字符和全空白的文本被拒绝。
- **金额** 在报文中以元为单位，两位小数（` + "`12.00`" + `），N(9,2)：最大 999999999.99，不为负。Go 里的 ` + "`Amount`" + ` 以分为单位：
  ` + "`12 * ips.Yuan`" + `。应答可以不带小数。
- **利率** 是百分数，两位小数：` + "`45.12`" + ` 即 45.12 %，Go 里写 ` + "`45*ips.Percent + 12*ips.BasisPoint`" + `。
- **日期** 为 ` + "`yyyyMMdd`" + `，时间为 ` + "`yyyyMMddHHmmss`" + `，北京时间（UTC+8）。
- **信封。** 文档加密并签名，三个字段名为 ` + "`argMerCode`、`arg3DesXmlPara`、`argSign`" + `（表中的 *arg…*）或
  ` + "`pMerCode`、`p3DesXmlPara`、`pSign`" + `（*p…*）。余额、银行列表、账户信息三个查询不加密：其字段在 ` + "`argMerCode` 与 `argSign`" + ` 之间，备注在后。
- **应答** 有五个字段：` + "`pMerCode`、`pErrCode`、`pErrMsg`、`p3DesXmlPara`、`pSign`" + `。应答中任何字段都可能缺失或为空，这时 Go 字段是零值；
  未知字段保留在 ` + "`Reply.Extra`" + `。上述三个查询的应答也不加密。
- **重发。** 完全相同的报文发两次，IPS 如何处理无人知晓，只有开户（继续办理）和标的结束（按标的状态应答）例外。无论重发得到什么应答，
  拒绝都不说明第一次发送的结果。

`

// envelope is how the names of its fields begin.
func (r *reference) envelope(op ips.OperationInfo) string {
	if r.argNames[op.Operation] {
		return "arg…"
	}
	return "p…"
}

func (r *reference) method(op ips.OperationInfo) string {
	return fmt.Sprintf("[`%s`](#%s)", op.Method, r.anchors["Client."+op.Method])
}

func (r *reference) operation(op ips.OperationInfo) {
	method := r.clientMethod(op.Method)
	r.anchor(string(op.Operation))
	r.printf("## %s %s\n\n", strings.TrimSpace(op.Section+" "+op.Chinese), op.Method)
	var signature bytes.Buffer
	decl := *method.Decl
	decl.Doc, decl.Body = nil, nil
	require.NoError(r.t, format.Node(&signature, r.fset, &decl))
	r.printf("```go\n%s\n```\n\n", signature.String())
	for _, b := range r.blocks(method.Doc) {
		r.printf("%s\n\n", r.say(b))
	}

	scenarios := r.scenarios()
	var guide []string
	for _, n := range op.Scenarios {
		guide = append(guide, strings.TrimSpace(fmt.Sprintf("%d %s", n, scenarios[n])))
	}
	r.head("", "")
	r.row(r.in("transport 方式", "方式"), "**"+r.say(op.Transport.String())+"**"+r.in(": ", "：")+r.say(r.transport(op.Transport)))
	r.row(r.in("endpoint 地址", "地址"), "`"+op.Endpoint+"`"+r.in(", envelope ", "，信封 ")+r.envelope(op))
	if len(guide) > 0 {
		r.row(r.in("guide 场景", "场景"), strings.Join(guide, r.in("; ", "；")))
	}
	r.row(r.in("success 成功", "成功"), r.codes(op.Success))
	r.row(r.in("pending 处理中", "处理中"), r.codes(op.Pending))
	r.printf("\n")

	r.request(op)
	r.answer(op)
}

func (r *reference) clientMethod(name string) *doc.Func {
	for _, m := range r.types["Client"].Methods {
		if m.Name == name {
			return m
		}
	}
	r.t.Fatalf("Client has no method %s", name)
	return nil
}

// transport is the comment of a transport's constant.
func (r *reference) transport(t ips.Transport) string {
	c := r.values["Transport"][int(t)-1]
	return r.inline(strings.TrimPrefix(unwrap(c.comment), c.name+": "))
}

var scenarioTitle = regexp.MustCompile(`^[^:]+`)

// scenarios are the usage guide's, out of the package comment's list.
func (r *reference) scenarios() map[int]string {
	titles := map[int]string{}
	for _, b := range r.pkg.Parser().Parse(r.pkg.Doc).Content {
		list, ok := b.(*doccomment.List)
		if !ok {
			continue
		}
		for _, item := range list.Items {
			if n, err := strconv.Atoi(item.Number); err == nil {
				titles[n] = scenarioTitle.FindString(r.text(item.Content[0].(*doccomment.Paragraph).Text))
			}
		}
	}
	return titles
}

const rulesTitle = "Rules between fields:"

// typeDoc is the comment of a type in blocks, and its rules between fields.
func (r *reference) typeDoc(name string) (blocks []string, rules string) {
	all := r.blocks(r.types[name].Doc)
	if i := slices.Index(all, rulesTitle); i >= 0 && i+1 < len(all) {
		return slices.Concat(all[:i], all[i+2:]), all[i+1]
	}
	return all, ""
}

// original is the first request that s converts to, mostly s itself: a request
// that repeats another one does not repeat all of its comments.
func (r *reference) original(s reflect.Type) reflect.Type {
	for _, op := range r.ops {
		if s.NumField() > 0 && s.ConvertibleTo(requestType(op)) {
			return requestType(op)
		}
	}
	return s
}

// rules are a request's rules between fields.
func (r *reference) rules(s reflect.Type) string {
	_, rules := r.typeDoc(r.original(s).Name())
	return rules
}

func (r *reference) request(op ips.OperationInfo) {
	r.anchor(r.anchors[requestType(op).Name()])
	r.printf("### %s `%s`\n\n", r.in("Request 请求", "请求"), requestType(op).Name())
	blocks, _ := r.typeDoc(requestType(op).Name())
	for _, b := range blocks {
		r.printf("%s\n\n", r.say(b))
	}
	if len(codec.Fields(requestType(op))) == 0 {
		r.printf("%s\n\n", r.in("It has no elements besides the envelope's.", "除信封外没有字段。"))
		return
	}
	rules := r.rules(requestType(op))
	r.requestTable(op, requestType(op), rules)
	for _, f := range codec.Fields(requestType(op)) {
		if f.Row != "" {
			row := f.Type.Elem()
			r.rowHead(&f, row)
			r.requestTable(op, row, rules)
		}
	}
	if rules != "" {
		r.printf("%s\n\n%s\n\n", r.in("Rules between fields 字段间规则:", "字段间规则："), r.sayList(rules))
	}
}

// rowHead is the heading of a table of rows.
func (r *reference) rowHead(f *codec.Field, row reflect.Type) {
	if r.anchors[row.Name()] != "" && !strings.Contains(r.out.String(), `<a id="`+r.anchors[row.Name()]+`">`) {
		r.anchor(r.anchors[row.Name()])
	}
	r.printf("#### %s `%s/%s` `%s`\n\n", r.in("Rows 明细", "明细"), f.Name, f.Row, row.Name())
	blocks, _ := r.typeDoc(row.Name())
	for _, b := range blocks {
		r.printf("%s\n\n", r.say(b))
	}
}

func (r *reference) requestTable(op ips.OperationInfo, s reflect.Type, rules string) {
	if r.chinese == nil {
		r.head("#", "wire name", "Go field", "Go type", "required", "type and limit", "meaning")
	} else {
		r.head("#", "报文字段", "Go 字段", "Go 类型", "必填", "类型与限制", "含义")
	}
	for i, f := range codec.Fields(s) {
		n := r.comment(s, f.Index)
		goField, goType := "–", "–"
		if f.GoName != "_" {
			goField, goType = "`"+f.GoName+"`", r.goType(f.Type)
		}
		required, limit := r.limits(op, &f, n.text, rules)
		r.row(strconv.Itoa(i+1), r.wire(n, &f), goField, goType, required, limit, r.meaning(n, f.GoName, term(n.text, f.Name)))
	}
	r.printf("\n")
}

func (r *reference) goType(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		if a := r.anchors[t.Elem().Name()]; a != "" {
			return fmt.Sprintf("[`[]%s`](#%s)", t.Elem().Name(), a)
		}
		return "`[]" + t.Elem().Name() + "`"
	}
	return r.link(t.Name())
}

// limits puts the tags of a field into words.
func (r *reference) limits(op ips.OperationInfo, f *codec.Field, text, rules string) (required, limit string) {
	quoted := func(s string) string {
		if s == "" {
			return r.in("empty", "空")
		}
		return "`" + s + "`"
	}
	switch {
	case f.IsConst:
		return r.in("fixed", "固定"), r.in("always ", "总是 ") + quoted(f.Const)
	case f.CopyOf != "":
		return r.in("fixed", "固定"), r.in("the same as `", "同 `") + f.CopyOf + "`"
	case f.Variant:
		return r.in("fixed", "固定"), r.in("always ", "总是 ") + quoted(r.variants[op.Operation])
	}
	check := map[string]string{}
	var keys []string
	for rule := range strings.SplitSeq(f.Tag.Get("check"), ",") {
		if rule == "" {
			continue
		}
		k, v, _ := strings.Cut(rule, "=")
		check[k] = v
		keys = append(keys, k)
	}
	has := func(k string) bool { return slices.Contains(keys, k) }
	switch {
	case f.Row != "":
		return r.in("yes", "是"), "1–" + check["rows"] + r.in(" rows of ", " 行 ") + r.link(f.Type.Elem().Name())
	case has("optional") && regexp.MustCompile(`\b`+f.GoName+`\b`).MatchString(rules):
		required = r.in("rule", "规则")
	case has("optional"):
		required = r.in("no", "否")
	case f.Default != "":
		required = r.in("default", "默认")
	case strings.Contains(unwrap(text), "Empty takes the client's"):
		required = r.in("client", "客户端")
	default:
		required = r.in("yes", "是")
	}

	var words []string
	bounds := func(decimals bool) {
		for _, k := range keys {
			if sign := map[string]string{"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}[k]; sign != "" {
				v := check[k]
				if decimals && v != "0" && !strings.Contains(v, ".") {
					v += ".00"
				}
				words = append(words, sign+" "+v)
			}
		}
	}
	switch f.Type {
	case reflect.TypeFor[ips.Amount]():
		words = append(words, r.in("yuan", "元"))
		bounds(true)
	case reflect.TypeFor[ips.Rate]():
		words = append(words, r.in("percent", "百分数"))
		bounds(true)
	case reflect.TypeFor[ips.Date]():
		words = append(words, "`yyyyMMdd`")
	default:
		switch {
		case f.Type.Kind() == reflect.Int:
			words = append(words, r.in("whole number", "整数"))
			bounds(false)
		case has("oneof"):
			for v := range strings.SplitSeq(check["oneof"], " ") {
				words = append(words, r.value(f.Type, v))
			}
		case has("url"):
			words = append(words, r.in("absolute http or https URL", "绝对 http 或 https 地址"))
		default:
			words = append(words, r.textLimit(check, keys))
		}
	}
	known := []string{"optional", "max", "len", "alnum", "digits", "url", "gt", "ge", "lt", "le", "oneof", "secret"}
	for _, k := range keys {
		if !slices.Contains(known, k) { // a rule that the grammar got later
			words = append(words, strings.TrimSuffix("`"+k+"="+check[k], "=")+"`")
		}
	}
	if f.Default != "" {
		words = append(words, r.in("`"+f.Default+"` when left empty", "留空即 `"+f.Default+"`"))
	}
	sep := r.in(", ", "，")
	if has("oneof") {
		sep = "<br>"
	}
	return required, strings.Join(words, sep)
}

// textLimit is a limit as "1–30 characters", "≤ 100 characters" or "11 digits".
func (r *reference) textLimit(check map[string]string, keys []string) string {
	kind := r.in("characters", "个字符")
	switch {
	case slices.Contains(keys, "digits"):
		kind = r.in("digits", "位数字")
	case slices.Contains(keys, "alnum"):
		kind = r.in("letters and digits", "个字母或数字")
	}
	optional := slices.Contains(keys, "optional")
	switch {
	case check["len"] != "" && optional:
		return r.in("empty or ", "空或 ") + check["len"] + " " + kind
	case check["len"] != "":
		return check["len"] + " " + kind
	case check["max"] != "" && optional:
		return "≤ " + check["max"] + " " + kind
	case check["max"] != "":
		return "1–" + check["max"] + " " + kind
	}
	return kind
}

var lead = regexp.MustCompile(`^[^:;,]*`)

// value is a legal value of an enumeration with its constant and the Chinese at
// the beginning of the constant's comment.
func (r *reference) value(t reflect.Type, v string) string {
	for _, c := range r.values[t.Name()] {
		if c.value == v {
			return strings.TrimSpace(fmt.Sprintf("`%s` `%s` %s", v, c.name, escapeMarkdown.Replace(strings.TrimSpace(lead.FindString(c.comment)))))
		}
	}
	return "`" + v + "`"
}

func (r *reference) answer(op ips.OperationInfo) {
	name := responseType(op).Name()
	if !strings.Contains(r.out.String(), `<a id="`+r.anchors[name]+`">`) {
		r.anchor(r.anchors[name])
	}
	r.printf("### %s `%s`\n\n", r.in("Response 应答", "应答"), name)
	way := "The method returns it; a later answer comes by notification, to your `Handler`."
	switch op.Transport {
	case ips.Redirect:
		way = "It comes by web return and by notification, to your `Handler`."
	case ips.QueryService:
		way = "The method returns it; there is no notification."
	}
	r.printf("%s%s%s\n\n", r.say(r.inline(r.types[name].Doc)), r.in(" ", ""), r.say(way))
	request := map[string]string{}
	r.each(requestType(op), "", func(owner reflect.Type, f *codec.Field, path string) {
		request[path+f.Name] = term(r.comment(owner, f.Index).text, f.Name)
	})
	r.answerTable(responseType(op), request, "")
	for _, f := range codec.Fields(responseType(op)) {
		if f.Row != "" {
			r.rowHead(&f, f.Type.Elem())
			r.answerTable(f.Type.Elem(), request, f.Name+"/"+f.Row+"/")
		}
	}
}

func (r *reference) answerTable(s reflect.Type, request map[string]string, path string) {
	if r.chinese == nil {
		r.head("wire name", "Go field", "Go type", "meaning")
	} else {
		r.head("报文字段", "Go 字段", "Go 类型", "含义")
	}
	for _, f := range codec.Fields(s) {
		n := r.comment(s, f.Index)
		if _, asked := request[f.Name]; len(f.Index) > 1 && !asked {
			continue // all answers have it, but this operation's know none
		}
		if s.Field(f.Index[0]).Type == reflect.TypeFor[ips.Memos]() {
			n.text = "of the request"
		}
		chinese := ""
		if !han(n.text) {
			chinese = request[path+f.Name]
		}
		r.row(r.wire(n, &f), "`"+f.GoName+"`", r.goType(f.Type), r.meaning(n, f.GoName, chinese))
	}
	// What is made of the elements, or of the way they came.
	for i, n := range r.members(s.Name()) {
		f := s.Field(i)
		if _, element := f.Tag.Lookup(codec.TagKey); element || f.Anonymous {
			continue
		}
		r.row("–", "`"+f.Name+"`", r.goType(f.Type), r.say(r.inline(capital(withoutName(unwrap(n.text), f.Name)))))
	}
	r.printf("\n")
}

var codeComment = regexp.MustCompile(`^\w+(?: \(([^()]*)\))?: (.*)$`)

func (r *reference) codeTable() {
	r.anchor("codes")
	r.printf("## %s\n\n%s\n\n", r.in("Codes 返回码", "返回码"), r.say(r.inline(r.pkg.Synopsis(r.types["Code"].Doc))))
	r.printf("%s\n\n", r.in("What an answer means depends on the operation:", "应答的含义因接口而异："))
	for _, c := range r.values["Outcome"] {
		means, _ := strings.CutPrefix(unwrap(c.comment), c.name+": ")
		r.printf("- `%s`%s%s\n", c.name, r.in(": ", "："), r.say(r.inline(means)))
	}
	r.printf("\n")
	if r.chinese == nil {
		r.head("code", "constant", "Chinese 含义", "meaning", "what to do, notes", "success of", "pending of")
	} else {
		r.head("返回码", "常量", "原文", "含义", "怎么办、说明", "表示成功的接口", "表示处理中的接口")
	}
	for _, c := range r.values["Code"] {
		m := codeComment.FindStringSubmatch(unwrap(c.comment))
		require.NotNil(r.t, m, "the comment of %s is not “%[1]s (中文): meaning.”", c.name)
		means, do, _ := strings.Cut(m[2], ". ")
		means = capital(strings.TrimSuffix(means, ".")) + "."
		var success, pending []ips.OperationInfo
		for _, op := range r.ops {
			switch op.Outcome(ips.Code(c.value)) {
			case ips.Success:
				success = append(success, op)
			case ips.Pending:
				pending = append(pending, op)
			}
		}
		r.row("<a id=\""+r.anchors[c.name]+"\"></a>`"+c.value+"`", "`"+c.name+"`", cmp.Or(m[1], "–"), r.say(r.inline(means)), cmp.Or(r.say(r.inline(do)), "–"),
			r.some(success), r.some(pending))
	}
	r.printf("\n")
}

// some names operations, unless they are too many for a cell.
func (r *reference) some(ops []ips.OperationInfo) string {
	const most = 5
	if len(ops) > most {
		return fmt.Sprintf(r.in("%d of %d [operations](#operations)", "%d 个（共 %d 个[接口](#operations)）"), len(ops), len(r.ops))
	}
	var all []string
	for _, op := range ops {
		all = append(all, r.method(op))
	}
	return cmp.Or(strings.Join(all, ", "), "–")
}

func (r *reference) enumTable() {
	r.anchor("enumerations")
	r.printf("## %s\n\n", r.in("Enumerations 枚举值\n\nAn answer may hold a value that is not listed; it is kept as it came.",
		"枚举值\n\n应答里可能有未列出的值，原样保留。"))
	if r.chinese == nil {
		r.head("Go type", "elements", "value", "constant", "meaning")
	} else {
		r.head("Go 类型", "报文字段", "值", "常量", "含义")
	}
	for _, typ := range r.enums {
		name, where := "<a id=\""+r.anchors[typ.Name]+"\"></a>`"+typ.Name+"`", ""
		where = "`" + strings.Join(r.used[typ.Name], "`, `") + "`"
		for _, c := range r.values[typ.Name] {
			r.row(name, where, "`"+c.value+"`", "`"+c.name+"`", r.say(r.inline(unwrap(c.comment))))
			name, where = "", ""
		}
	}
	r.printf("\n")
}

// index lists every wire name with the places where it stands.
func (r *reference) index() {
	type places struct{ request, answer []string }
	all := map[string]*places{}
	at := func(name string) *places {
		if all[name] == nil {
			all[name] = new(places)
		}
		return all[name]
	}
	add := func(list *[]string, place string) {
		if !slices.Contains(*list, place) {
			*list = append(*list, place)
		}
	}
	for _, op := range r.ops {
		for _, s := range []reflect.Type{requestType(op), responseType(op)} {
			r.each(s, "", func(owner reflect.Type, f *codec.Field, path string) {
				list := &at(f.Name).answer
				if s == requestType(op) {
					list = &at(f.Name).request
				}
				n := r.comment(owner, f.Index)
				link := func(name string) string { return "[`" + name + "`](#" + r.anchors[owner.Name()] + ")" }
				place := ""
				if path != "" {
					place = "`" + strings.TrimSuffix(path, "/") + "` "
				}
				switch {
				case f.GoName == "_":
					_, limit := r.limits(op, f, n.text, "")
					place += link(owner.Name()) + " (" + limit + ")"
				case n.owner == reflect.TypeFor[ips.Memos]().Name():
					place += r.in("every order: `", "每个订单：`") + n.owner + "." + f.GoName + "`"
				case len(f.Index) > 1:
					place += r.in("every answer: `", "每个应答：`") + n.owner + "." + f.GoName + "`"
				default:
					place += link(owner.Name() + "." + f.GoName)
				}
				if sic.MatchString(n.text) {
					place += r.in(" (sic)", "（原文如此）")
				}
				add(list, place)
				if f.Row != "" {
					row := &at(f.Row).answer
					if s == requestType(op) {
						row = &at(f.Row).request
					}
					elem := f.Type.Elem().Name()
					add(row, "`"+path+f.Name+"` [`"+elem+"`](#"+r.anchors[elem]+")")
				}
				if f.Alias != "" {
					add(&at(f.Alias).answer, place+r.in(" (another spelling of `", "（另一种拼法，同 `")+f.Name+r.in("`)", "`）"))
				}
			})
		}
	}
	// The envelope is no struct of the caller's; what of it answers keep is.
	for _, name := range []string{"MerCode", "3DesXmlPara", "Sign"} {
		add(&at("arg"+name).request, r.in("envelope", "信封"))
		add(&at("p"+name).request, r.in("envelope", "信封"))
		add(&at("p"+name).answer, r.in("envelope", "信封"))
	}
	for i, n := range r.members(reflect.TypeFor[ips.Reply]().Name()) {
		f := reflect.TypeFor[ips.Reply]().Field(i)
		if name := wireName.FindString(n.text); f.Tag.Get(codec.TagKey) == "" && name != "" && strings.HasPrefix(n.text, name) {
			add(&at(name).answer, "every answer: `Reply."+f.Name+"`")
		}
	}

	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	r.anchor("wire-names")
	r.printf("## %s\n\n", r.in("Wire names 字段索引\n\nFor whoever comes from code in another language: every element on the wire and its Go field. The path in front is that of rows.",
		"字段索引\n\n供从其他语言的代码迁移时查找：报文中的每个字段及其 Go 字段。前面的路径是明细的。"))
	if r.chinese == nil {
		r.head("wire name", "in requests 请求", "in answers 应答")
	} else {
		r.head("报文字段", "请求", "应答")
	}
	for _, name := range names {
		p := all[name]
		r.row("`"+name+"`", cmp.Or(strings.Join(p.request, ", "), "–"), cmp.Or(strings.Join(p.answer, ", "), "–"))
	}
}
