package browsertest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// patience bounds every step. It only passes when something is wrong.
	patience = 30 * time.Second
	// beat is how often a page is asked whether it is ready.
	beat = 10 * time.Millisecond
	// slow is the latency of a slow network, in milliseconds.
	slow = 5000
)

// chromium is one browser, in which every user has a profile of his own.
type chromium struct {
	ctx   context.Context
	album string // folder of the screenshots
}

// startChromium starts the browser. Without one the test is skipped, or fails
// where there must be one.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	program := cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium")
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("IPS_REQUIRE_BROWSER") == "1" {
			t.Fatalf("no browser, and IPS_REQUIRE_BROWSER=1: %v", err)
		}
		fmt.Fprintf(os.Stderr, "!!! SKIPPED: no browser to test with: %v\n", err)
		t.Skipf("no browser: %v (CHROMIUM names another one)", err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.DisableGPU,
		chromedp.Flag("lang", "zh-CN"),
		chromedp.Flag("hide-scrollbars", true),
		// Who goes back gets the page loaded again, which is the harder case.
		chromedp.Flag("disable-features", "Translate,BackForwardCache"),
		// Nothing leaves this machine, whatever a page or the browser itself asks for.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("proxy-server", "direct://"),
		chromedp.WSURLReadTimeout(patience),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its own sandbox to root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, quit := chromedp.NewContext(allocator)
	t.Cleanup(quit)
	require.NoError(t, chromedp.Do(ctx), "starting %s", program)
	return &chromium{ctx: ctx, album: album(t)}
}

// album makes the folder of the screenshots.
func album(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("IPS_SCREENSHOTS")
	if folder == "" {
		return t.ArtifactDir()
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	return folder
}

// screen is what somebody has before him.
type screen struct {
	width, height int64
	options       []chromedp.EmulateViewportOption
}

// show makes the window as large as a screen.
func (s screen) show() chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(s.width, s.height, s.options...)
}

func desktop() screen { return screen{width: 1280, height: 800} }

func telephone() screen {
	return screen{width: 390, height: 844, options: []chromedp.EmulateViewportOption{
		chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2),
	}}
}

// user is a person at a browser. His methods fail the test when he does not
// get what he should.
type user struct {
	t     *testing.T
	ctx   context.Context
	album string
	name  string // of the test, as the screenshots have it
	shots int
	watch *watch
}

// user opens a window. When the test ends, nothing may have gone wrong in it
// that a person would not see.
func (c *chromium) user(t *testing.T, s screen) *user {
	t.Helper()
	w := new(watch)
	ctx, shut := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(w.hear))
	t.Cleanup(shut)
	_, name, _ := strings.Cut(t.Name(), "/")
	u := &user{t: t, ctx: ctx, album: c.album, name: strings.ReplaceAll(name, "/", "-"), watch: w}
	// The window lasts as long as the context of its first step.
	require.NoError(t, chromedp.Do(ctx))
	u.do(
		s.show(),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, audits.Enable, cdp.Empty{})
			return err
		}),
	)
	t.Cleanup(func() { assert.Empty(t, w.list(), "in the browser's own tools") })
	return u
}

// do takes steps in the browser.
func (u *user) do(steps ...chromedp.Action[chromedp.Void]) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		u.fail(err)
	}
}

// fail ends the test with a picture of where the user got stuck.
func (u *user) fail(err error) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if picture, shotErr := chromedp.Run(ctx, chromedp.FullScreenshot(100)); shotErr == nil {
		u.keep(picture, "FAILED")
	}
	require.NoError(u.t, err, "%s\n%v", at, u.watch.list())
}

// opens types an address.
func (u *user) opens(address string) {
	u.t.Helper()
	u.do(chromedp.Navigate(address))
}

// clicks clicks a button or a link by what stands on it.
func (u *user) clicks(text string) {
	u.t.Helper()
	u.do(chromedp.Click(control(text)))
}

// control finds the first button or link by what stands on it.
func control(text string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`(//button|//a)[normalize-space()=%q]`, text))
}

// clicksTwice clicks a button that sends a form twice, faster than any page can
// answer: the network is slow until he is done.
func (u *user) clicksTwice(text string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(control(text)), chromedp.ScrollIntoView(control(text)))
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	box, err := chromedp.Run(ctx, chromedp.Dimensions(control(text)))
	require.NoError(u.t, err)
	// The corners of the box are x, y, x, y and so on, clockwise.
	x, y := (box.Content[0]+box.Content[4])/2, (box.Content[1]+box.Content[5])/2
	sent := u.watch.forms()
	u.slowNetwork(slow)
	for n := 1; n <= 2; n++ {
		u.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(n)))
		// The browser takes clicks that follow at once for one.
		require.Eventually(u.t, func() bool { return u.watch.forms() == sent+n }, patience, beat,
			"click %d on %q sends no form", n, text)
	}
	u.slowNetwork(0)
}

// slowNetwork delays every answer by milliseconds.
func (u *user) slowNetwork(latency float64) {
	u.t.Helper()
	u.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Latency: latency, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		return err
	}))
}

// types clicks a field by its label and types.
func (u *user) types(label, text string) {
	u.t.Helper()
	field := chromedp.Search(fmt.Sprintf(`//input[@id=//label[normalize-space()=%q]/@for]`, label))
	u.do(chromedp.Click(field), chromedp.KeyEvent(text))
}

// tabsBack goes back n fields.
func (u *user) tabsBack(n int) {
	u.t.Helper()
	for range n {
		u.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	}
}

// presses types with nothing but the keyboard, wherever the focus is.
func (u *user) presses(keys ...string) {
	u.t.Helper()
	for _, k := range keys {
		u.do(chromedp.KeyEvent(k))
	}
}

// tabs goes on to the next field and types.
func (u *user) tabs(keys ...string) {
	u.t.Helper()
	u.presses(append([]string{kb.Tab}, keys...)...)
}

// withoutScripts turns JavaScript off.
func (u *user) withoutScripts() {
	u.t.Helper()
	u.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// reads waits until a fact stands on the page: a label and its value.
func (u *user) reads(label, value string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(chromedp.Search(
		fmt.Sprintf(`//dt[normalize-space()=%q]/following-sibling::dd[normalize-space()=%q]`, label, value))))
}

// fate waits until a text message has come to an end that begins with a word.
func (u *user) fate(word string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//p[@class="fate"][starts-with(normalize-space(),%q)]`, word))))
}

// finds waits until something with exactly this text stands on the page.
func (u *user) finds(text string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//main//*[normalize-space()=%q]`, text))))
}

// counts waits until the time that is left has come down to something.
func (u *user) counts(left string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//*[@class="left"][starts-with(normalize-space(),%q)]`, left))))
}

// passes lets a page believe that so much time has passed.
func (u *user) passes(d time.Duration) {
	u.t.Helper()
	ask[bool](u, fmt.Sprintf(`(function(now) { Date.now = function() { return now() + %d }; return true })(Date.now.bind(Date))`, d.Milliseconds()))
}

// focus is the id of the element that has the keyboard.
func (u *user) focus() string {
	u.t.Helper()
	return ask[string](u, `document.activeElement.id`)
}

// ask evaluates a script in the page.
func ask[T any](u *user, script string) T {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		u.fail(err)
	}
	return answer
}

// look is what a person sees of a page at first glance.
type look struct {
	State    string   `json:"state"`
	Title    string   `json:"title"`
	Lang     string   `json:"lang"`
	Headings []string `json:"headings"`
	TooWide  int      `json:"tooWide"` // by how many pixels it must be scrolled sideways
}

const lookScript = `({
	state: document.readyState,
	title: document.title,
	lang: document.documentElement.lang,
	headings: Array.from(document.querySelectorAll("h1"), h => h.innerText.trim().replace(/\s+/g, " ")),
	tooWide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})`

// sees waits for a page by its heading, checks what every page owes to people,
// and takes a picture.
func (u *user) sees(heading, title, picture string) {
	u.t.Helper()
	// The page before may have had the same heading, at the other site.
	u.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//html[head/title=%q]//h1[normalize-space()=%q]`, title, heading))))
	seen := u.settled()
	assert.Equal(u.t, []string{heading}, seen.Headings)
	assert.Equal(u.t, title, seen.Title)
	assert.Equal(u.t, "zh-CN", seen.Lang)
	assert.LessOrEqual(u.t, seen.TooWide, 0, "%q must be scrolled sideways", heading)
	u.shoots(picture)
}

// settled waits until the page, with its stylesheet, is there.
func (u *user) settled() look {
	u.t.Helper()
	deadline := time.After(patience)
	for {
		seen := ask[look](u, lookScript)
		if seen.State == "complete" {
			return seen
		}
		select {
		case <-time.After(beat):
		case <-deadline:
			u.fail(fmt.Errorf("%q is still %s", seen.Title, seen.State))
		}
	}
}

// seesIPS waits for a page of the platform.
func (u *user) seesIPS(heading, picture string) {
	u.t.Helper()
	u.sees(heading, heading+" - 资金管理平台沙箱", picture)
}

// seesShop waits for a page of the merchant.
func (u *user) seesShop(heading, picture string) {
	u.t.Helper()
	u.sees(heading, heading+" - "+shopName, picture)
}

// seesConsole waits for a page of the console.
func (u *user) seesConsole(heading, title, picture string) {
	u.t.Helper()
	u.sees(heading, title+" · 沙箱控制台", picture)
}

// shoots takes a picture of the whole page.
func (u *user) shoots(name string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(u.t, err)
	u.keep(picture, name)
}

func (u *user) keep(picture []byte, name string) {
	u.t.Helper()
	u.shots++
	file := strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-").Replace(fmt.Sprintf("%s-%02d-%s.png", u.name, u.shots, name))
	require.NoError(u.t, os.WriteFile(filepath.Join(u.album, file), picture, fs.FileMode(0o644)))
}

// watch hears what the browser tells its developer tools: errors, breaches of
// a content-security policy, and requests to other places.
type watch struct {
	mu       sync.Mutex
	posts    int
	problems []string
	expected []string
}

// expect lets problems pass that hold a text.
func (w *watch) expect(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected = append(w.expected, text)
}

func (w *watch) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.problems), func(p string) bool {
		return slices.ContainsFunc(w.expected, func(text string) bool { return strings.Contains(p, text) })
	})
}

// forms is how many forms were sent, whether or not anybody waited for the answer.
func (w *watch) forms() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.posts
}

func (w *watch) countForm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posts++
}

func (w *watch) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func (w *watch) hear(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !onThisMachine(e.Request.URL) {
			w.note("request to %s", e.Request.URL)
		}
		if e.Request.Method == http.MethodPost {
			w.countForm()
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			w.note("console: %s", e.Type)
		}
	case *runtime.EventExceptionThrown:
		w.note("exception: %s", e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.note("log: %s %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			w.note("content-security policy: %s %s", csp.ViolatedDirective, csp.BlockedURL)
		}
	}
}

// onThisMachine says whether a request stays here. Pages have no other
// business than with the loopback interface.
func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Hostname() == "127.0.0.1"
	case "about", "data", "blob":
		return true
	}
	return false
}

// token tells the page from the one after the next try's form.
func (u *user) token() string {
	u.t.Helper()
	return ask[string](u, `document.querySelector("input[name=tries]").value`)
}

// changes waits until the form is another one than before.
func (u *user) changes(token string) {
	u.t.Helper()
	u.do(chromedp.WaitVisible(chromedp.Search(fmt.Sprintf(`//form[input[@name="tries"][not(@value=%q)]]`, token))))
}
