package browsertest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox"
	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

// narrow is the narrowest telephone that every page fits on.
func narrow() screen {
	s := telephone()
	s.width, s.height = 360, 740
	return s
}

// kindOf is an address without what tells one thing from others of its kind.
func kindOf(path string) string {
	return regexp.MustCompile(`[0-9]+|[A-Z0-9]{4,}`).ReplaceAllString(regexp.MustCompile(`=[^&]*`).ReplaceAllString(path, "="), "")
}

// crawl follows links from some pages of a site, one address of each kind.
func crawl(w *walker, site string, from ...string) (paths []string) {
	w.t.Helper()
	kinds := make(map[string]bool)
	for next := from; len(next) > 0; next = next[1:] {
		if kinds[kindOf(next[0])] {
			continue
		}
		kinds[kindOf(next[0])] = true
		paths = append(paths, next[0])
		w.opens(site + next[0])
		next = append(next, again[[]string](w, `[...document.querySelectorAll('a:not([download]):not(.choices a):not(td a[href*="day="])')].map(a => new URL(a.href)).filter(u =>
			u.origin === location.origin && u.hash === "" && !/\.(sh|json|csv)$|\/(document|envelope|request|answer|final)$/.test(u.pathname) && !/^.wsdl$/i.test(u.search)).map(u => u.pathname + u.search)`)...)
	}
	return paths
}

// dark and light are the themes of a browser.
func (u *user) theme(name string) {
	u.t.Helper()
	u.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// prints shows a page as it is printed.
func (u *user) prints(on bool) {
	u.t.Helper()
	u.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: map[bool]string{true: "print"}[on]})
		return err
	}))
}

// TestSandboxPages looks at every kind of page of the sandbox, in both themes and
// on both screens, with something on each of them: nothing is wider than the
// screen, and axe-core finds nothing wrong.
func TestSandboxPages(t *testing.T) {
	browser := startChromium(t)
	axe := getAxe(t)
	box, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, box.Close()) })
	site, err := box.Start("")
	require.NoError(t, err)
	require.NoError(t, box.Sample("", site))
	const borrower, investor = "4021000000000001", "4021000000000002"
	require.NoError(t, box.SeedOldBid("808801", engine.OldBid{BidNo: "OLD1", ContractNo: "OC1", Release: "OR1", Borrower: borrower,
		Owed: []engine.OldClaim{{Account: investor, Amount: 300_00}}}))
	for _, f := range []sandbox.Fault{{Name: "notice-bad-sign", Op: "doDwTrade"}, {Name: "latency", Delay: 1, Op: "Transfer", Count: 9}} {
		_, err := box.OrderFault(f)
		require.NoError(t, err)
	}
	forged, err := http.PostForm(site+"/CreditWeb/doDwTrade.aspx", url.Values{"pMerCode": {"808801"}, "p3DesXmlPara": {"bm90aGluZw=="}, "pSign": {"0f"}})
	require.NoError(t, err)
	require.NoError(t, forged.Body.Close())
	pages := []string{"/", "/console/", "/console/nowhere", "/console/messages", "/console/messages?sign=bad", "/console/orders?q=nothing",
		"/console/orders/808801/SAMPLERELEASE1", "/console/orders/808801/SAMPLELOAN1", "/console/orders/808801/SAMPLEWITHDRAW2",
		"/console/orders/808801/SAMPLERECHARGE5", "/console/search?q=SAMPLE", "/console/accounts/808801/808801", "/console/accounts/808801/" + borrower, "/console/bids/808801/SAMPLEBID1", "/sms?q=nobody", "/nowhere"}
	for _, m := range box.Messages() {
		if m.Refusal != "" {
			pages = append(pages, fmt.Sprintf("/console/messages/%d", m.Seq))
		}
	}
	ask := box.Engine().PendingAsks("")[0]
	pages = append(pages, box.ConfirmPath(ask.ID), box.ConfirmPath(ask.ID)+"/bank")
	w := &walker{user: browser.user(t, desktop()), axe: axe, seen: make(map[string]bool)}
	w.watch.expect("status of 4")
	pages = append(pages, crawl(w, site, "/console/", "/")...)
	looked := 0
	slices.Sort(pages)
	for _, path := range slices.Compact(pages) {
		w.opens(site + path)
		for name, screen := range map[string]screen{"1280": desktop(), "360": narrow()} {
			w.do(screen.show())
			w.name = "sandbox-" + name + kindOf(path)
			w.seen = make(map[string]bool)
			w.looks()
			looked++
		}
		if axe != "" && strings.HasPrefix(path, "/console/") { // the other pages have one theme
			w.theme("dark")
			assert.Empty(t, again[string](w, contrasts(axe)), "axe-core, on %s in the dark", path)
			w.theme("light")
		}
	}
	t.Logf("%d kinds of page, looked at %d times", len(pages), looked)
	// A form that is refused.
	w.opens(site + "/console/faults")
	w.do(chromedp.Click(chromedp.CSS("summary")))
	w.submits("安排", "name", "latency", "delay", "soon")
	w.shows("延迟须为时长")
}
