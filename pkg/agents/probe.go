package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"genesis/pkg/resilience"
)

// probeExitCode is what a process killed by a probe exits with.
const probeExitCode = 3

// ProbeOptions says what a probe may do. The zero value lets it end no process.
type ProbeOptions struct {
	// AllowExit lets a task end the process. It must be false in production.
	AllowExit bool

	// Exit ends the process; it is os.Exit in a program. Nil counts as not
	// allowed.
	Exit func(code int)
}

// Probe returns an agent for drills and demonstrations: it does what the task's
// input says. Every key is optional.
//
//	{"sleep_ms": 0, "fail": "retryable|permanent|panic", "fail_times": 2, "exit": false, "output_bytes": 0}
//
// It sleeps sleep_ms first, at most a day, and stops with its context. Then exit
// ends the process with code 3 where the options allow it, and is a permanent
// error where they do not. Then it fails in the way fail names: while the
// attempt is at most fail_times, or always when there is no fail_times. What is
// left is the answer
//
//	{"text": "...", "attempt": 1}
//
// whose text is the prompt, or output_bytes bytes, at most 8 MiB. An unknown key,
// a wrong type and a value out of range are permanent errors that name the key.
func Probe(o ProbeOptions) Agent {
	return Func(func(ctx context.Context, t Task) (Result, error) { return probe(ctx, o, t) })
}

func probe(ctx context.Context, o ProbeOptions, t Task) (Result, error) {
	orders, err := parseProbe(t.Input)
	if err != nil {
		return Result{}, resilience.Permanent(fmt.Errorf("probe: %w", err))
	}
	if err := sleep(ctx, orders.sleep); err != nil {
		return Result{}, fmt.Errorf("probe: sleep %s: %w", orders.sleep, err)
	}
	if orders.exit {
		if !o.AllowExit || o.Exit == nil {
			return Result{}, resilience.Permanent(errors.New(`probe: input key "exit": refused in production`))
		}
		o.Exit(probeExitCode)
		return Result{}, errors.New("probe: the process was told to exit and goes on")
	}
	if err := orders.failure(t.Attempt); err != nil {
		return Result{}, err
	}
	text := t.Prompt
	if orders.outputBytes > 0 {
		text = strings.Repeat("x", orders.outputBytes)
	}
	return Result{Output: probeOutput(text, t.Attempt)}, nil
}

// failure fails attempt as ordered.
func (o probeOrders) failure(attempt int) error {
	if o.fail == "" || (o.limited && attempt > o.failTimes) {
		return nil
	}
	if o.fail == failPanic {
		panic(fmt.Sprintf("probe: told to panic, attempt %d", attempt))
	}
	err := fmt.Errorf("probe: told to fail (%s), attempt %d", o.fail, attempt)
	if o.fail == failPermanent {
		return resilience.Permanent(err)
	}
	return err
}

// sleep returns early, with the reason, when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func probeOutput(text string, attempt int) json.RawMessage {
	out := make([]byte, 0, len(`{"text":"","attempt":}`)+len(text)+20)
	out = append(out, `{"text":`...)
	out = appendString(out, text)
	out = append(out, `,"attempt":`...)
	out = strconv.AppendInt(out, int64(attempt), 10)
	return append(out, '}')
}
