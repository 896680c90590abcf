package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const adminPassword = "correct horse"

// output is what a program says, and can be read while it runs.
type output struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(p)
}

func (o *output) find(pattern string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := regexp.MustCompile(pattern).FindStringSubmatch(o.said.String()); m != nil {
		return m[1]
	}
	return ""
}

// startPlatform builds and starts the example platform with a sandbox whose pages
// wait for people. It returns both their addresses.
func startPlatform(t *testing.T) (site, ips string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "platform")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../platform"
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	out := new(output)
	run := exec.Command(program, "-manual", "-listen", "127.0.0.1:0", "-age", "1s")
	run.Env = append(os.Environ(), "PLATFORM_ADMIN_PASSWORD="+adminPassword, "DATABASE_URL=", "IPS_URL=")
	run.Stdout, run.Stderr = out, out
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt)
		_ = run.Wait()
	})
	require.Eventually(t, func() bool {
		site, ips = out.find(`The platform: (\S+)`), out.find(`Inside IPS:\s+(\S+)`)
		return site != "" && ips != ""
	}, patience, beat)
	return site, ips
}

// walker is somebody who reaches everything by links and buttons, and looks at
// every page on his way: none is wider than the screen, and axe-core finds
// nothing wrong with it.
type walker struct {
	*user
	axe  string
	who  string          // what one sees depends on it
	seen map[string]bool // kinds of pages, of all who walk
}

// goes does something that leads to another page, and looks at that.
func (w *walker) goes(step func()) {
	w.t.Helper()
	again[int](w, `window.before = 1`)
	step()
	w.lands(`!window.before`)
}

// lands waits until a page is there of which a condition holds.
func (w *walker) lands(condition string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !w.holds(`document.readyState === "complete" && document.title !== "正在前往环迅支付" && (` + condition + `)`) {
		if time.Now().After(deadline) {
			w.fail(fmt.Errorf("no page of which %s", condition))
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.looks()
}

// holds is false while one page gives way to another.
func (w *walker) holds(condition string) bool {
	ok, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`!!(`+condition+`)`))
	return err == nil && ok
}

func (w *walker) looks() {
	w.t.Helper()
	seen := again[look](w, lookScript)
	assert.LessOrEqual(w.t, seen.TooWide, 0, "%q must be scrolled sideways", seen.Title)
	at := again[string](w, `location.pathname + location.search`)
	if key := fmt.Sprint(w.who, seen.Title, kindOf(at), again[int](w, `innerWidth`)); !w.seen[key] {
		w.seen[key] = true
		w.shoots("page")
		if w.axe != "" {
			assert.Empty(w.t, again[string](w, violations(w.axe)), "axe-core, on %q", seen.Title)
		}
	}
}

// again is ask on a page that may give way to its own next state meanwhile.
func again[T any](w *walker, script string) T {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		answer, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
		if err == nil {
			return answer
		}
		if time.Now().After(deadline) {
			w.fail(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// follows clicks a link whose text begins so.
func (w *walker) follows(text string) {
	w.t.Helper()
	w.goes(func() {
		w.do(chromedp.Click(chromedp.Search(fmt.Sprintf(`(//a[starts-with(normalize-space(),%q)])[last()]`, text))))
	})
}

// chapter takes the way that everything here is reached by: the list of chapters.
func (w *walker) chapter(name string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.Search(`(//nav//a[normalize-space()="业务场景"])[1]`)))
	w.lands(`document.querySelector("h1").innerText === "业务场景"`)
	w.follows(name)
}

// submits fills in the first form whose button begins so, and presses it.
func (w *walker) submits(button string, pairs ...string) {
	w.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		assert.True(w.t, again[bool](w, fmt.Sprintf(`(() => {
			const b = [...document.querySelectorAll("main form button")].find(b => b.innerText.trim().startsWith(%s));
			const f = b && b.form.elements[%s];
			if (!f) return false;
			f.value = f.tagName === "SELECT" ? [...f.options].find(o => o.text === %[3]s || o.value === %[3]s).value : %[3]s;
			return true })()`, quoted(button), quoted(pairs[i]), quoted(pairs[i+1]))), "no field %s beside %q", pairs[i], button)
	}
	w.goes(func() {
		w.do(chromedp.Click(chromedp.Search(fmt.Sprintf(`(//main//form//button[starts-with(normalize-space(),%q)])[1]`, button))))
	})
}

// asks opens the first button that begins so and asks before it acts, fills in what
// is behind it, and presses it.
func (w *walker) asks(button string, pairs ...string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.Search(fmt.Sprintf(`(//main//summary[starts-with(normalize-space(),%q)])[1]`, button))))
	w.submits("确定"+button, pairs...)
}

// confirms does what the page of IPS asks for, comes back, and reads what the
// platform says.
func (w *walker) confirms(said string) {
	w.t.Helper()
	w.lands(`document.title.endsWith("资金管理平台沙箱")`)
	again[int](w, `(() => { for (const f of document.querySelectorAll("main input:not([type=hidden]), main select")) {
		if (f.tagName === "SELECT") f.selectedIndex = f.options.length - 1;
		else if (f.name.startsWith("loginPassword")) f.value = "abcdef";
		else if (f.type === "password") f.value = "123456";
		else f.value = f.name === "card" ? "6222000000000000001" : "北京";
	} return 1 })()`)
	w.goes(func() { w.do(chromedp.Click(chromedp.CSS(`main button[value="confirm"], main button[type="submit"]`))) })
	if again[bool](w, `!!document.querySelector("button[value=paid]")`) {
		w.goes(func() { w.do(chromedp.Click(chromedp.CSS(`button[value="paid"]`))) })
	}
	w.back(said)
}

// back takes the way back from IPS to the order.
func (w *walker) back(said string) {
	w.t.Helper()
	if again[bool](w, `[...document.querySelectorAll("button")].some(b => b.innerText.trim() === "返回商户网站")`) {
		w.clicks("返回商户网站")
	}
	w.lands(`document.title.startsWith("订单：")`)
	w.shows(said)
	assert.NotContains(w.t, again[string](w, `document.querySelector("nav").innerText`), "登录", "the session is alive")
}

// shows waits until a text stands somewhere on the page, which loads itself again
// as long as it waits for something.
func (w *walker) shows(text string) {
	w.t.Helper()
	w.lands(`document.body.innerText.includes(` + quoted(text) + `)`)
}

// answers says yes to the text message that waits.
func (w *walker) answers() {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.Search(`(//nav//a[normalize-space()="业务场景"])[1]`)))
	w.lands(`document.querySelector("h1").innerText === "业务场景"`)
	w.follows("查看 IPS 短信")
	w.goes(func() { w.do(chromedp.Click(control("同意"))) })
	w.goes(func() { w.do(chromedp.Click(control("返回商户网站"))) })
}

// TestPlatform goes through all chapters of the usage guide on the example
// platform, with a telephone 360 wide and by what the list of chapters leads to.
func TestPlatform(t *testing.T) {
	browser := startChromium(t)
	site, ips := startPlatform(t)
	axe, seen := getAxe(t), make(map[string]bool)
	phone := narrow()
	walks := func(name string) *walker {
		w := &walker{user: browser.user(t, phone), who: map[string]string{"admin": "admin", "visitor": "visitor"}[name], axe: axe, seen: seen}
		w.name = "platform-" + name
		w.watch.expect("422")      // forms that are refused on purpose
		w.watch.expect("/nowhere") // no such page
		w.opens(site)
		w.looks()
		return w
	}
	n := 0
	joins := func(name, person string) *walker {
		n++
		w := walks(name)
		w.chapter("用户开户") // 1
		w.follows("还没有账号")
		w.submits("注册", "login", name, "password", "correct horse", "name", person, "ident", fmt.Sprintf("11010119900101%04d", n), "mobile", "1", "email", name+"@example.com")
		w.shows("请填写 11 位手机号")
		w.submits("注册", "password", "correct horse", "mobile", fmt.Sprintf("138%08d", n))
		w.submits("开通托管账户")
		w.confirms("IPS 已处理成功")
		w.chapter("托管账户充值（网银）") // 10
		w.submits("去银行付款", "amount", "20,000.00")
		w.confirms("IPS 已处理成功")
		return w
	}
	admin := walks("admin")
	admin.chapter("担保方代偿")
	admin.submits("登录", "login", "admin", "password", adminPassword)
	require.Equal(t, "平台管理", again[string](admin, `document.querySelector("h1").innerText`), "the login leads where one wanted to go")
	zhang, li, wang, zhao := joins("zhang", "张三"), joins("li", "李四"), joins("wang", "王五"), joins("zhao", "赵六")
	// looksAround shows all pages that one gets to, on both screens.
	looksAround := func(when string, all ...*walker) {
		t.Helper()
		for _, w := range all {
			for _, s := range []screen{phone, desktop()} {
				w.do(s.show())
				for _, path := range crawl(w, site, "/chapters", "/", "/nowhere", "/login", "/register", "/market", "/claims", "/orders?kind=money&state=done", "/account?day=30&sort=most") {
					w.name = fmt.Sprintf("platform-%s%s-%d%s", w.who, when, s.width, kindOf(path))
					w.opens(site + path)
					w.looks()
					if w.axe != "" && when == "" {
						w.theme("dark")
						assert.Empty(t, again[string](w, contrasts(w.axe)), "axe-core, on %s in the dark", path)
						w.shoots("dark")
						w.theme("light")
					}
				}
			}
			w.do(phone.show())
			w.opens(site)
		}
	}
	loan := func(w *walker, chapter string) {
		w.t.Helper()
		w.chapter(chapter)
		w.follows("购车")
	}
	manage := func(chapter string) {
		t.Helper()
		admin.chapter(chapter)
		admin.goes(func() {
			admin.do(chromedp.Click(chromedp.Search(`(//main//a[starts-with(@href,"/admin/loan/B")])[1]`)))
		})
	}

	zhang.chapter("托管账户充值（委托收款-用户发起）") // 11
	zhang.submits("代扣充值", "amount", "600")
	zhang.confirms("IPS 已处理成功")
	admin.chapter("托管账户充值（委托收款-商户发起）") // 12
	admin.submits("代扣", "user", "zhang", "amount", "400")
	admin.shows("等待用户回复 IPS 短信")
	zhang.answers()
	admin.shows("IPS 已处理成功")

	zhang.chapter("平台发布借款标") // 2
	zhang.submits("提交借款申请", "amount", "10,000.00", "margin", "500", "months", "3", "mode", "2", "purpose", "购车")
	manage("平台发布借款标")
	admin.submits("审核通过并发布")
	admin.back("等待用户回复 IPS 短信")
	zhang.chapter("平台发布借款标")
	zhang.follows("购车")
	zhang.shows("等待借款人短信确认")
	zhang.answers()
	admin.shows("IPS 已处理成功")

	loan(zhao, "担保方对标的担保") // 3
	zhao.submits("担保", "margin", "1000", "profit", "50")
	zhao.confirms("IPS 已处理成功")
	loan(li, "投资人投标（一次性放款）") // 4
	li.submits("投标", "amount", "0")
	li.shows("投标金额至少 100.00 元")
	li.submits("投标", "amount", "6,000.00")
	li.confirms("IPS 已处理成功")
	manage("投资人投标（随投随放）") // 5
	admin.submits("放款")
	admin.shows("IPS 已处理成功")
	wang.chapter("投资人设置自动投标") // 16
	wang.submits("自动投标签约")
	wang.confirms("IPS 已处理成功")
	manage("投资人设置自动投标")
	admin.submits("代为投标", "amount", "4000")
	admin.shows("IPS 已处理成功")
	manage("投资人投标（随投随放）")
	admin.submits("放款")
	admin.shows("IPS 已处理成功")

	fault := func(order string) {
		t.Helper()
		answer, err := http.Post(ips+"admin/faults", "application/json", strings.NewReader(order))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Less(t, answer.StatusCode, 300)
	}
	loan(zhang, "借款人还款") // 7
	fault(`{"name":"row","op":"RepaymentNewTrade","row":1}`)
	zhang.submits("还第 1 期（100.00 元）")
	zhang.confirms("部分成功")
	li.chapter("个人债权转让") // 6
	li.submits("挂牌转让", "face", "2000", "price", "1,900.00")
	zhao.chapter("托管账户充值（网银）")
	fault(`{"name":"notice-amount","op":"doDpTrade"}`)
	zhao.submits("去银行付款", "amount", "300")
	zhao.confirms("IPS 已处理成功")
	li.chapter("托管账户充值（网银）")
	li.submits("去银行付款", "amount", "700")
	li.opens(site) // and leaves IPS's page open
	looksAround("-midway", admin, zhang, li)
	loan(zhang, "借款人还款")
	zhang.submits("还第 1 期")
	zhang.confirms("IPS 已处理成功")
	wang.chapter("个人债权转让")
	wang.follows("转让市场")
	wang.submits("购买")
	wang.confirms("IPS 已处理成功")
	time.Sleep(3 * time.Second) // the sale is carried out
	manage("担保方代偿")             // 8
	admin.asks("代偿 第 2 期（100.00 元）")
	admin.shows("IPS 已处理成功")
	loan(zhang, "借款人针对代偿的还款") // 9
	zhang.submits("向担保方还款")
	zhang.shows("IPS 已处理成功")
	manage("解冻借款人保证金") // 15
	admin.asks("解冻借款人保证金", "amount", "200")
	admin.shows("IPS 已处理成功")
	manage("解冻担保方保证金") // 14
	admin.asks("解冻担保方保证金")
	admin.shows("IPS 已处理成功")
	zhang.chapter("借款人设置自动还款") // 17
	zhang.submits("自动还款签约")
	zhang.confirms("IPS 已处理成功")
	manage("借款人设置自动还款")
	admin.submits("自动还款")
	admin.shows("IPS 已处理成功")
	li.chapter("托管账户提现") // 13
	li.submits("提现", "amount", "1,000.00")
	li.confirms("IPS 已处理成功")

	admin.chapter("新老系统过渡") // 三
	admin.submits("登记", "bid", "OLD1", "contract", "OC1", "release", "OR1", "borrower", "zhang", "investor", "li", "amount", "1,000.00")
	zhang.chapter("新老系统过渡")
	zhang.follows("老标的")
	zhang.submits("还第 1 期（1,000.00 元）")
	zhang.confirms("IPS 已处理成功")

	// What is printed of a contract is the contract.
	zhang.chapter("借款人还款")
	zhang.follows("购车")
	zhang.follows("借款合同")
	zhang.prints(true)
	assert.Equal(t, "", again[string](zhang, `[...document.querySelectorAll("header, footer, form, .button, .choices")].filter(e => e.checkVisibility()).map(e => e.outerHTML).join()`))
	assert.True(t, again[bool](zhang, `document.querySelector("table").checkVisibility()`))
	zhang.shoots("printed")
	zhang.prints(false)

	manage("平台发布借款标")
	admin.shows("已还清，待结束")
	admin.asks("标的结束")
	admin.shows("IPS 已处理成功")

	looksAround("", admin, zhang, li, walks("visitor"))
}
