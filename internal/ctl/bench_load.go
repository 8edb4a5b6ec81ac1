package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"genesis/pkg/bus"
)

// A load is what a bench does.
type load struct {
	agent                       string
	lane                        bus.Lane
	requests, concurrency, size int
	timeout                     time.Duration
}

// A loadReport is what it measured; latencies are those of answered requests.
type loadReport struct {
	Agent         string  `json:"agent"`
	Requests      int     `json:"requests"`
	Concurrency   int     `json:"concurrency"`
	Size          int     `json:"size"`
	Seconds       float64 `json:"seconds"`
	JobsPerSecond float64 `json:"jobs_per_second"`
	P50           float64 `json:"p50_ms"`
	P95           float64 `json:"p95_ms"`
	P99           float64 `json:"p99_ms"`
	Max           float64 `json:"max_ms"`
	Failed        int     `json:"failed"`
	// Errors counts the failures by their text.
	Errors map[string]int `json:"errors"`

	interrupted bool
}

// run sends the requests and waits for every answer, or until ctx ends.
func (l *load) run(ctx context.Context, b *bus.Bus, answered func()) (*loadReport, error) {
	replies, err := b.NewReplies("bench-" + uuid.NewString())
	if err != nil {
		return nil, err
	}
	defer replies.Close()
	var next atomic.Int64
	var mu sync.Mutex
	var latencies []time.Duration
	r := &loadReport{Agent: l.agent, Concurrency: l.concurrency, Size: l.size, Errors: map[string]int{}}
	prompt := strings.Repeat("x", l.size)
	began := time.Now()
	var callers sync.WaitGroup
	for range min(l.concurrency, l.requests) {
		callers.Go(func() {
			var mine []time.Duration
			for ctx.Err() == nil && next.Add(1) <= int64(l.requests) {
				sent := time.Now()
				if err := l.one(ctx, b, replies, prompt); err == nil {
					mine = append(mine, time.Since(sent))
					answered()
				} else if ctx.Err() == nil {
					mu.Lock()
					r.Failed++
					r.Errors[errorKind(err)]++
					mu.Unlock()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, mine...)
		})
	}
	callers.Wait()
	r.Seconds = time.Since(began).Seconds()
	r.interrupted = ctx.Err() != nil
	r.measure(latencies)
	return r, nil
}

// one sends a request and waits for its result.
func (l *load) one(ctx context.Context, b *bus.Bus, replies *bus.Replies, prompt string) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	id := uuid.NewString()
	w := replies.Expect(l.agent, id)
	defer w.Close()
	_, err := b.Publish(ctx, bus.Envelope{
		Agent: l.agent, Lane: l.lane, ID: id, Client: "genesis-bench",
		ReplyTo: replies.Subject(id), Request: bus.Request{Prompt: prompt},
	})
	if err != nil {
		return err
	}
	result, err := w.Result(ctx, true)
	switch {
	case err != nil:
		return err
	case !result.Success && result.Error != nil:
		return result.Error
	case !result.Success:
		return errors.New("failed without a reason")
	}
	return nil
}

func (r *loadReport) measure(latencies []time.Duration) {
	slices.Sort(latencies)
	r.Requests = len(latencies) + r.Failed
	if len(latencies) == 0 {
		return
	}
	at := func(q float64) float64 {
		i := min(int(q*float64(len(latencies))), len(latencies)-1)
		return float64(latencies[i].Microseconds()) / 1000
	}
	r.JobsPerSecond = float64(len(latencies)) / r.Seconds
	r.P50, r.P95, r.P99, r.Max = at(0.5), at(0.95), at(0.99), at(1)
}

// errorKind is what failures of one kind have in common: no id is in it.
func errorKind(err error) string {
	for _, kind := range []error{bus.ErrFull, bus.ErrUnavailable, bus.ErrNotFound, bus.ErrTooLarge, bus.ErrUnknownAgent} {
		if errors.Is(err, kind) {
			if errors.Is(err, bus.ErrNotFound) {
				return "no result in time"
			}
			return kind.Error()
		}
	}
	if failure, ok := errors.AsType[*bus.ResultError](err); ok {
		return fmt.Sprintf("failed as %s", failure.Code)
	}
	return oneLine(err.Error())
}
