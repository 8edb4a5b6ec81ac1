package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"genesis/pkg/resilience"
)

// Primary is the name of the rung whose answers are not degraded.
const Primary = "primary"

// Rung is one way to answer, and the policies it is tried under. All policies may
// be left out; rungs of several ladders may share them.
type Rung struct {
	// Name says what kind of answer this is: "primary", "fallback", "static".
	Name string

	// Provider names what answers, as the configuration calls it. Empty: the
	// agent's own result says it.
	Provider string

	// Agent answers. It is needed.
	Agent Agent

	// When says whether the rung may be tried now: nil for yes, otherwise why
	// not. It must be quick. See [resilience.Rung].
	When func(context.Context) error

	// MinTime is how much time the rung needs; with less left it is skipped.
	MinTime time.Duration

	// Policy runs the rung. It may call several times, as a [resilience.Retry]
	// does: each call is an attempt.
	Policy resilience.Policy

	// Attempt runs each attempt, within Policy.
	Attempt resilience.Policy

	// Budget pays for tasks that are delivered again; a task it has nothing left
	// for is rejected. It should be the one of the Retry in Policy, too.
	Budget *resilience.Budget
}

// LadderOptions describe a [Ladder].
type LadderOptions struct {
	// Name is what the ladder is called in events, for example its agent's.
	Name string

	// Rungs are the ways to answer, the best first; at least one. Several may
	// have the same name.
	Rungs []Rung

	// Observer is told of rungs that failed, that were skipped, and that
	// answered below the first. It may be nil.
	Observer resilience.Observer
}

// Ladder is an [Agent] made of ordered ways to answer: a [resilience.Fallback]. It
// tries its rungs in order; a rung that fails, for whatever reason, leads to the
// next, and one that may not be tried or cannot finish in time is skipped.
//
// The result says which rung answered, and how many attempts were repeated on the
// way, on any rung. It is degraded unless that was the first rung named [Primary],
// or when the rung itself called it degraded.
//
// When no rung answers, the error is a [*resilience.FallbackError], whose verdict
// speaks for all of them. A rung that tried counts as tried, also when a further
// attempt was rejected, say by a breaker that the first one had opened.
//
// A ladder stops when its context is done; the rungs below are not tried then,
// and the error is never permanent. A panic in a rung passes through.
type Ladder struct {
	rungs    []Rung
	primary  int // the first rung named Primary; -1 for none
	fallback *resilience.Fallback
}

// NewLadder returns a ladder, or everything wrong with its options.
func NewLadder(o LadderOptions) (*Ladder, error) {
	l := &Ladder{rungs: append([]Rung(nil), o.Rungs...), primary: -1}
	rungs := make([]resilience.Rung, len(o.Rungs))
	names := make(map[string]bool, len(o.Rungs))
	var errs []error
	for i, r := range o.Rungs {
		if r.Name == Primary && l.primary < 0 {
			l.primary = i
		}
		if r.Agent == nil {
			errs = append(errs, fmt.Errorf("rung %s: has no agent", r.Name))
		}
		name := r.Name
		for n := 2; names[name]; n++ { // the second fallback is fallback 2
			name = fmt.Sprintf("%s %d", r.Name, n)
		}
		names[name] = true
		rungs[i] = resilience.Rung{Name: name, When: r.When, MinTime: r.MinTime}
	}
	fallback, err := resilience.NewFallback(resilience.FallbackOptions{Name: o.Name, Rungs: rungs, Observer: o.Observer})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("ladder: %w", err)
	}
	l.fallback = fallback
	return l, nil
}

// Handle implements [Agent].
func (l *Ladder) Handle(ctx context.Context, t Task) (Result, error) {
	c := climb{ladder: l, task: t}
	answer, err := l.fallback.Answer(ctx, c.try)
	if err != nil {
		return Result{}, err
	}
	rung := &l.rungs[answer.Index]
	c.result.Rung = rung.Name
	if rung.Provider != "" {
		c.result.Provider = rung.Provider
	}
	c.result.Degraded = c.result.Degraded || answer.Index != l.primary
	c.result.RetryCount += c.retries
	return c.result, nil
}

// Close closes the agents that are io.Closers and joins their errors.
func (l *Ladder) Close() error {
	var errs []error
	for _, rung := range l.rungs {
		if c, ok := rung.Agent.(io.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close rung %s: %w", rung.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Static returns an agent that always answers {"text": text}; as the last rung
// it makes a ladder that answers whatever has failed above.
func Static(text string) Agent {
	result := Text(text)
	return Func(func(context.Context, Task) (Result, error) { return result, nil })
}
