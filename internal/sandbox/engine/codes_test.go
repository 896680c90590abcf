package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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
		assert.Contains(t, []engine.Grade{"", engine.Real, engine.Demo, engine.Manual, engine.Guide, engine.Choice}, c.Rule, c.Code)
		assert.Equal(t, c.Rule == engine.Choice, c.Why != "", "%s: a rule of our own, and only such a one, says why it stays", c.Code)
		if c.Code != "MG02044F" { // the platform gives no reason with it
			assert.NotEmpty(t, c.Text, c.Code)
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
		shared := strings.HasPrefix(code, "MG180") || strings.HasPrefix(code, "MG130")
		assert.True(t, n > 1 || constant || shared, "%s is in the table and nowhere else", code)
	}
}

// The texts that were seen on the real platform, word for word.
func TestTextsOfTheRealPlatform(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.manual()
	w.submit("registerSubject", bidding("B1", "B1", "1000.00", "0.00"))
	n := w.notice(w.pass(40*time.Minute), "MG02047F")
	assert.Equal(t, "登记标的失败，借款人30分钟内未回复短信，错误码MG02047F", n.Answer.Text)
	w.submit("registerSubject", bidding("B2", "B2", "1000.00", "9999.00"))
	x := w.submit("doDwTrade", withdrawing("X1", zhang, "100.00"))
	w.confirm(x.Ask, "password", "123456")
	n = w.notice(w.reply(true), "MG02044F")
	assert.Equal(t, "登记标的失败，错误码MG02044F", n.Answer.Text)
	for answer, text := range map[string]engine.Answer{
		"标的新增，返回码MG02500F":    w.submit("registerSubject", bidding("B3", "B3", "1000.00", "0.00")).Answer,
		"标的募集中":               w.notice(w.reply(true), "MG02501F").Answer,
		"标的结束处理中，返回码MG02503F": w.submit("registerSubject", with(bidding("B3", "B3", "1000.00", "0.00"), "pOperationType", "2")).Answer,
		"结束标的失败，标的已结束，标的号(B3)，错误码MG02030F": w.submit("registerSubject", with(bidding("B3", "B3", "1000.00", "0.00"), "pOperationType", "2")).Answer,
		"IPS受理中！": w.submit("CoDpTrade", withholding("W1", zhang, "1.00")).Answer,
	} {
		assert.Equal(t, answer, text.Text)
	}
}
