package agents

import "context"

// Echo returns an agent that answers with what it was sent: {"text": prompt},
// and beside it "input" when the task has one. It never fails. The input is
// passed on as it came.
func Echo() Agent { return Func(echo) }

func echo(_ context.Context, t Task) (Result, error) {
	if len(t.Input) == 0 {
		return Text(t.Prompt), nil
	}
	const frame = `{"text":"","input":}`
	out := make([]byte, 0, len(frame)+len(t.Prompt)+len(t.Prompt)/8+len(t.Input))
	out = append(out, `{"text":`...)
	out = appendString(out, t.Prompt)
	out = append(out, `,"input":`...)
	out = append(out, t.Input...)
	out = append(out, '}')
	return Result{Output: out}, nil // the input is the caller's, so nothing is known of it
}
