package demo

import (
	"context"
	"fmt"
	"net/url"

	"github.com/ips-p2p/ips/internal/browser"
)

// FillIn is a user's browser that opens a page of the merchant, fills in its
// first form and submits it, goes to IPS with the form that comes back, and
// returns from there to the merchant. It gives the title of the page at the end.
func FillIn(ctx context.Context, page string, fields url.Values) (title string, err error) {
	b := browser.New(nil)
	defer b.Close()
	p, err := b.Get(ctx, page)
	if err != nil {
		return "", err
	}
	if p, err = submit(ctx, b, p, fields); err != nil {
		return "", err
	}
	if p, err = submit(ctx, b, p, nil); err != nil {
		return "", err
	}
	if p, err = b.Follow(ctx, p); err != nil {
		return "", err
	}
	return p.Title(), nil
}

// submit submits the only form of a page.
func submit(ctx context.Context, b *browser.Browser, p *browser.Page, fields url.Values) (*browser.Page, error) {
	forms, err := p.Forms()
	if err != nil {
		return nil, err
	}
	if len(forms) != 1 {
		return nil, fmt.Errorf("the page %q has %d forms, and should have 1", p.Title(), len(forms))
	}
	return b.Press(ctx, p, &forms[0], "", fields)
}
