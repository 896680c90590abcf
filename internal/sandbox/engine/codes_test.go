package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ips-p2p/ips/internal/sandbox/engine"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	listed := make(map[string]bool)
	for _, c := range engine.Codes() {
		assert.Regexp(t, `^(MG\d{5}F|0000)$`, c.Code) // 0000 is the old interface's
		assert.False(t, listed[c.Code], "%s is listed twice", c.Code)
		assert.Contains(t, []engine.Grade{engine.Real, engine.Manual, engine.Choice}, c.Grade, c.Code)
		if c.Code != "MG02044F" { // the platform gives no reason with it
			assert.NotEmpty(t, c.Reason, c.Code)
		}
		listed[c.Code] = true
	}

	// Every code that the source names is in the table, and is used besides.
	used := make(map[string]int)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, code := range regexp.MustCompile(`MG\d{5}F`).FindAllString(string(source), -1) {
			assert.True(t, listed[code], "%s names %s, which is not in the table", file, code)
			used[code]++
		}
	}
	for code, n := range used {
		// The general codes are constants. The two recharges share one plan
		// that puts their numbers together.
		constant := strings.HasPrefix(code, "MG000") || strings.HasPrefix(code, "MG025")
		shared := strings.HasPrefix(code, "MG080") || strings.HasPrefix(code, "MG120")
		assert.True(t, n > 1 || constant || shared, "%s is in the table and nowhere else", code)
	}
}

// The texts that were seen on the real platform, word for word.
func TestTextsOfTheRealPlatform(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.manual()
	w.submit("registerSubject", bidding("B1", "B1", "1000.00", "0.00"))
	n := w.notice(w.pass(1800e9), "MG02047F")
	assert.Equal(t, "登记标的失败，借款人30分钟内未回复短信，错误码MG02047F", n.Answer.Text)
	w.submit("registerSubject", bidding("B2", "B2", "1000.00", "9999.00"))
	x := w.submit("doDwTrade", withdrawing("X1", zhang, "100.00"))
	w.confirm(x.Ask, "password", "123456")
	n = w.notice(w.reply(true), "MG02044F")
	assert.Equal(t, "登记标的失败，错误码MG02044F", n.Answer.Text)
}
