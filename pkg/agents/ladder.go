package agents

import (
	"context"
	"errors"
	"fmt"
	"io"

	"genesis/pkg/resilience"
)

// Primary is the name of the rung whose answers are not degraded.
const Primary = "primary"

// Rung is one way to answer.
type Rung struct {
	// Name says what kind of answer this is: "primary", "fallback", "static".
	Name string

	// Provider names what answers, as the configuration calls it. Empty: the
	// agent's own result says it.
	Provider string

	// Agent answers. A rung without one fails, permanently.
	Agent Agent
}

// Ladder is an [Agent] made of ordered ways to answer. It tries its rungs in
// order; a rung that fails, for whatever reason, leads to the next.
//
// The result says which rung answered. It is degraded unless that was the first
// rung named [Primary], or when the rung itself called it degraded.
//
// When no rung answers, the error tells what each said, on one line, and
// errors.Is and errors.As find what is in any of them. Its verdict speaks for
// all rungs:
//
//   - permanent, only if every rung's error is;
//   - rejected (errors.Is with resilience.ErrRejected), only if every rung
//     rejected: once a rung has tried, the work was tried;
//   - its delay is the shortest that a rung worth trying again asked for; among
//     rungs that tried, rejections are not asked.
//
// A ladder stops when its context is done; the rungs below are not tried then,
// and the error is never permanent. A panic in a rung passes through. An empty
// ladder is a permanent error.
type Ladder []Rung

// Handle implements [Agent].
func (l Ladder) Handle(ctx context.Context, t Task) (Result, error) {
	if len(l) == 0 {
		return Result{}, resilience.Permanent(errors.New("the ladder has no rungs"))
	}
	var failed []error
	for i, rung := range l {
		if ctx.Err() != nil {
			failed = append(failed, fmt.Errorf("stopped before rung %s: %w", rung.Name, context.Cause(ctx)))
			break
		}
		result, err := rung.handle(ctx, t)
		if err == nil {
			result.Degraded = result.Degraded || !l.primary(i)
			return result, nil
		}
		failed = append(failed, fmt.Errorf("rung %s: %w", rung.Name, err))
	}
	return Result{}, newLadderError(failed)
}

// Close closes the agents that are io.Closers and joins their errors.
func (l Ladder) Close() error {
	var errs []error
	for _, rung := range l {
		if c, ok := rung.Agent.(io.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close rung %s: %w", rung.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// primary reports whether rung i is the first of the name [Primary].
func (l Ladder) primary(i int) bool {
	for _, above := range l[:i] {
		if above.Name == Primary {
			return false
		}
	}
	return l[i].Name == Primary
}

func (r Rung) handle(ctx context.Context, t Task) (Result, error) {
	if r.Agent == nil {
		return Result{}, resilience.Permanent(errors.New("has no agent"))
	}
	result, err := r.Agent.Handle(ctx, t)
	if err != nil {
		return Result{}, err
	}
	result.Rung = r.Name
	if r.Provider != "" {
		result.Provider = r.Provider
	}
	return result, nil
}

// Static returns an agent that always answers {"text": text}; as the last rung
// it makes a ladder that answers whatever has failed above.
func Static(text string) Agent {
	result := Text(text)
	return Func(func(context.Context, Task) (Result, error) { return result, nil })
}
