package fault

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse reads a fault as a command line writes it: its name and, behind a
// colon, what else there is to say, separated by commas. The keys are those of
// the admin API; after needs no value.
//
//	reset:op=Transfer,count=2,after
//	notice-delay:delay=3s,probability=0.1
func Parse(text string) (Fault, error) {
	name, rest, _ := strings.Cut(text, ":")
	f := Fault{Name: strings.TrimSpace(name)}
	if rest == "" {
		return f, f.checked()
	}
	for part := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if err := f.set(key, value); err != nil {
			return Fault{}, fmt.Errorf("sandbox: fault %s: %s: %w", f.Name, key, err)
		}
	}
	return f, f.checked()
}

func (f *Fault) set(key, value string) (err error) {
	switch key {
	case "op":
		f.Op = value
	case "merchant":
		f.Merchant = value
	case "count":
		f.Count, err = strconv.Atoi(value)
	case "probability":
		f.Probability, err = strconv.ParseFloat(value, 64)
	case "after":
		f.After = true
		if value != "" {
			f.After, err = strconv.ParseBool(value)
		}
	case "delay":
		f.Delay, err = time.ParseDuration(value)
	case "size":
		f.Size, err = strconv.ParseInt(value, 10, 64)
	case "code":
		f.Code = value
	case "text":
		f.Text = value
	case "row":
		f.Row, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("unknown key, want op, merchant, count, probability, after, delay, size, code, text or row")
	}
	return err
}

// checked says what is wrong with a fault without filling anything in.
func (f Fault) checked() error { return f.prepare() }
