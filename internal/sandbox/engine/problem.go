package engine

import "fmt"

// Problem is what is wrong with what an operator wants: in English for programs,
// in Chinese for pages.
type Problem struct{ english, chinese string }

// Wrong words a problem. Both patterns take all of the arguments.
func Wrong(english, chinese string, args ...any) error {
	return &Problem{fmt.Sprintf(english, args...), fmt.Sprintf(chinese, args...)}
}

func (p *Problem) Error() string { return p.english }

// Chinese is the problem in Chinese.
func (p *Problem) Chinese() string { return p.chinese }
