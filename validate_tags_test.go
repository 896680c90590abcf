package ips

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A tag that makes no sense must not pass for a field without rules.
func TestCheckTags(t *testing.T) {
	t.Parallel()
	for _, op := range catalogue {
		assert.NotPanics(t, func() { planOf(op.request) }, op.Operation)
	}
	for tag, want := range map[string]string{
		"optinal":     `ips: check tag "optinal": "optinal": no such rule`,
		"max=x":       `ips: check tag "max=x": "max=x": strconv.Atoi: parsing "x": invalid syntax`,
		"alnum,rows":  `ips: check tag "alnum,rows": "rows": strconv.Atoi: parsing "": invalid syntax`,
		"gt=-1,ge=0":  `ips: check tag "gt=-1,ge=0": "gt=-1": want digits with at most two decimals, as 12.00`,
		"le=1.005":    `ips: check tag "le=1.005": "le=1.005": want digits with at most two decimals, as 12.00`,
		"max=1;len=2": `ips: check tag "max=1;len=2": "max=1;len=2": strconv.Atoi: parsing "1;len=2": invalid syntax`,
	} {
		typ := reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`ips:"pA" check:"` + tag + `"`)}})
		assert.PanicsWithValue(t, want, func() { planOf(typ) }, tag)
	}
}
