package ips_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips"
	"github.com/ips-p2p/ips/internal/test/fixture"
)

func TestForm(t *testing.T) {
	t.Parallel()
	e := exampleOf(t, ips.OpRegisterBid)
	form, _, err := e.send(fixture.Client(t), e.request)
	require.NoError(t, err)
	assert.Equal(t, ips.OpRegisterBid, form.Operation())
	assert.Equal(t, "B20141213000001", form.OrderNo())
	fields := form.Fields()
	require.Len(t, fields, 3)
	assert.Equal(t, "pMerCode", fields[0].Name)
	for _, f := range fields {
		assert.Equal(t, []string{f.Value}, form.Values()[f.Name])
	}
	fields[0].Value = "999999" // a copy
	assert.Equal(t, "808801", form.Fields()[0].Value)
	form.Values().Set("pMerCode", "999999")
	assert.Equal(t, "808801", form.Values().Get("pMerCode"))

	w := httptest.NewRecorder()
	form.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusOK, w.Code)
	policy := w.Header().Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`'nonce-([A-Za-z0-9+/]{22})'`).FindStringSubmatch(policy)
	require.NotNil(t, nonce, policy)
	assert.Contains(t, w.Body.String(), `<script nonce="`+strings.ReplaceAll(nonce[1], "+", "&#43;")+`">`)
	assert.Contains(t, policy, "default-src 'none'")
	assert.Contains(t, policy, "frame-ancestors 'none'")
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	again := httptest.NewRecorder()
	form.ServeHTTP(again, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NotEqual(t, policy, again.Header().Get("Content-Security-Policy"), "the nonce is used once")

	for _, nonce := range []string{"", "abc123+/==", "a-b_c"} {
		var page bytes.Buffer
		require.NoError(t, form.Render(&page, nonce))
		assert.Contains(t, page.String(), `action="https://ips.example.com/CreditWeb/registerSubject.aspx"`)
		assert.Contains(t, page.String(), `<button type="submit">`)
	}
	for _, nonce := range []string{`"><script>`, "a b", "===", "x\n", "'"} {
		var page bytes.Buffer
		require.Error(t, form.Render(&page, nonce), nonce)
		assert.Empty(t, page.String())
	}
	require.ErrorIs(t, form.Render(brokenWriter{}, ""), errBroken)
}

// TestFormEscapesEverything: an action with every dangerous character stays an
// action.
func TestFormEscapesEverything(t *testing.T) {
	t.Parallel()
	cfg := fixture.Config()
	cfg.Environment.PostBase = `https://ips.example.com/"><script>alert(1)</script>/`
	c, err := ips.NewClient(cfg)
	require.NoError(t, err)
	form, err := c.Recharge(*exampleOf(t, ips.OpRecharge).request.(*ips.RechargeRequest))
	require.NoError(t, err)
	var page bytes.Buffer
	require.NoError(t, form.Render(&page, ""))
	assert.NotContains(t, page.String(), "<script>alert")
}
