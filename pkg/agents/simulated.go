package agents

import (
	"context"
	"fmt"
	"unicode/utf8"
)

// excerpt is how many characters of a prompt a simulated answer repeats.
const excerpt = 120

// Simulated returns an agent that stands in for a model where none is
// configured. Its text begins with "[simulated]", says that no model was asked
// and repeats the beginning of the prompt (of the input, when there is no
// prompt), so the same task always has the same answer. Its usage is an
// estimate: one token for each four characters begun. It never fails.
func Simulated() Agent { return Func(simulated) }

func simulated(_ context.Context, t Task) (Result, error) {
	asked := t.Prompt
	if asked == "" {
		asked = string(t.Input)
	}
	text := fmt.Sprintf("[simulated] No model was asked. The prompt of %d characters begins: %s",
		utf8.RuneCountInString(asked), firstRunes(asked, excerpt))
	result := Text(text)
	result.Usage = Usage{
		InputTokens:  tokens(t.Prompt) + tokens(string(t.Input)),
		OutputTokens: tokens(text),
	}
	return result, nil
}

// tokens estimates how many tokens s has for a model.
func tokens(s string) int { return (utf8.RuneCountInString(s) + 3) / 4 }

// firstRunes returns at most n characters of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
