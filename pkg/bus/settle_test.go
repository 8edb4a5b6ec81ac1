package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// virtual runs f in virtual time, on a server without a socket.
func virtual(t *testing.T, f func(t *testing.T, s *bustest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, bustest.Start(t, bustest.NoListen())) })
}

// verdicts are the verdicts of the first n settlements.
func verdicts(t testing.TB, r *running, n int) (out []bus.Verdict) {
	t.Helper()
	for _, s := range r.settlements(t, n) {
		out = append(out, s.Verdict)
	}
	return out
}

// kinds are the kinds of the entries in a request's ledger; nil without a ledger.
func kinds(t testing.TB, b *bus.Bus, id string) (out []string) {
	t.Helper()
	h, err := b.History(t.Context(), "a", id)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		t.Fatalf("history of %s: %v", id, err)
	}
	for _, e := range h.Entries {
		out = append(out, e.Kind)
	}
	return out
}

// script answers by attempt: each entry is an error, or nil for an answer.
func script(errs ...error) bus.Handler {
	return func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
		if n := min(j.Attempt, len(errs)); errs[n-1] != nil {
			return bus.Answer{}, errs[n-1]
		}
		return answer(ctx, j)
	}
}

// Each verdict of DESIGN section 3: what is stored, what the ledger says, and that the
// queue is empty in the end.
func TestEachVerdictIsSettledAsTheDesignSays(t *testing.T) {
	boom := errors.New("boom 1\nmore")
	timeout := fmt.Errorf("call: %w", resilience.ErrTimeout)
	for _, tt := range []struct {
		name     string
		handler  bus.Handler
		verdicts []bus.Verdict
		code     bus.Code // "": success
		dead     string   // reason of the dead letter; "": none
		attempts int
		kinds    []string
	}{
		{"success", script(nil), []bus.Verdict{bus.VerdictSuccess}, "", "", 0, nil},
		{
			"success at the last attempt", script(boom, boom, nil),
			[]bus.Verdict{bus.VerdictRetryable, bus.VerdictRetryable, bus.VerdictSuccess},
			"", "", 2,
			[]string{"failed", "failed"},
		},
		{"permanent", script(resilience.Permanent(boom)), []bus.Verdict{bus.VerdictPermanent}, bus.CodePermanent, bus.DeadPermanent, 1, []string{"failed", "condemned"}},
		{
			"permanent after a retry", script(boom, resilience.Permanent(boom)),
			[]bus.Verdict{bus.VerdictRetryable, bus.VerdictPermanent},
			bus.CodePermanent, bus.DeadPermanent, 2,
			[]string{"failed", "failed", "condemned"},
		},
		{
			"exhausted", script(boom),
			[]bus.Verdict{bus.VerdictRetryable, bus.VerdictRetryable, bus.VerdictExhausted},
			bus.CodeExhausted, bus.DeadExhausted, 3,
			[]string{"failed", "failed", "failed", "condemned"},
		},
		{
			"exhausted by timeouts", script(boom, boom, timeout),
			[]bus.Verdict{bus.VerdictRetryable, bus.VerdictRetryable, bus.VerdictExhausted},
			bus.CodeTimeout, bus.DeadExhausted, 3,
			[]string{"failed", "failed", "failed", "condemned"},
		},
		{
			"panic", func(context.Context, *bus.Job) (bus.Answer, error) { panic(boom) },
			[]bus.Verdict{bus.VerdictPanic},
			bus.CodeInternal, bus.DeadPanic, 1,
			[]string{"failed", "condemned"},
		},
		{
			"panic with nothing", func(context.Context, *bus.Job) (bus.Answer, error) { panic(nil) },
			[]bus.Verdict{bus.VerdictPanic},
			bus.CodeInternal, bus.DeadPanic, 1,
			[]string{"failed", "condemned"},
		},
		{
			"no output", func(context.Context, *bus.Job) (bus.Answer, error) { return bus.Answer{}, nil },
			[]bus.Verdict{bus.VerdictSuccess},
			"", "", 0, nil,
		},
		{
			"output that is not JSON", func(context.Context, *bus.Job) (bus.Answer, error) {
				return bus.Answer{Output: json.RawMessage(`{"a`)}, nil
			},
			[]bus.Verdict{bus.VerdictPermanent},
			bus.CodePermanent, bus.DeadPermanent, 1,
			[]string{"failed", "condemned"},
		},
		{
			"output that is no object", func(context.Context, *bus.Job) (bus.Answer, error) {
				return bus.Answer{Output: json.RawMessage(`"a"`)}, nil
			},
			[]bus.Verdict{bus.VerdictPermanent},
			bus.CodePermanent, bus.DeadPermanent, 1,
			[]string{"failed", "condemned"},
		},
		{"output too large", func(context.Context, *bus.Job) (bus.Answer, error) {
			return bus.Answer{Output: json.RawMessage(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)}, nil
		}, []bus.Verdict{bus.VerdictPermanent}, bus.CodeTooLarge, bus.DeadPermanent, 1, []string{"failed", "condemned"}},
		{
			"an endless error", script(resilience.Permanent(errors.New(strings.Repeat("ü\x00\r\n", 1<<18)))),
			[]bus.Verdict{bus.VerdictPermanent},
			bus.CodePermanent, bus.DeadPermanent, 1,
			[]string{"failed", "condemned"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				p := run(t, b, bus.PoolOptions{Agent: "a", Handler: tt.handler, MaxAttempts: 3, Slots: 2})
				r := publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
				if got := verdicts(t, p, len(tt.verdicts)); !slices.Equal(got, tt.verdicts) {
					t.Errorf("verdicts: got %v, want %v", got, tt.verdicts)
				}
				got := result(t, b, "a", "x")
				if got.Success != (tt.code == "") || !got.Success && got.Error.Code != tt.code || got.Origin.Sequence != r.Sequence {
					t.Errorf("result: got %.300s, want code %q", got.Payload, tt.code)
				}
				if got.Success && got.Meta.RetryCount != tt.attempts {
					t.Errorf("result: got retry count %d, want %d", got.Meta.RetryCount, tt.attempts)
				}
				d, err := b.DeadLetter(t.Context(), "a", "x")
				if (err == nil) != (tt.dead != "") || d.Reason != tt.dead || err == nil && d.Attempts != tt.attempts {
					t.Errorf("dead letter: got %q after %d attempts, %v, want %q after %d", d.Reason, d.Attempts, err, tt.dead, tt.attempts)
				}
				if got := kinds(t, b, "x"); !slices.Equal(got, tt.kinds) {
					t.Errorf("ledger: got %v, want %v", got, tt.kinds)
				}
				answered := time.Now()
				emptied(t, b, "a")
				if took := time.Since(answered); took > time.Second { // not by another delivery after AckWait
					t.Errorf("the queue: empty %s after the result, want at once", took)
				}
				mustHold(t, b)
				publish(t, b, bus.Envelope{Agent: "a", ID: "next"}) // the worker goes on
				result(t, b, "a", "next")
			})
		})
	}
}

func TestDelaysAreThoseOfTheErrorAndThePolicy(t *testing.T) {
	backoff := resilience.Backoff{InitialDelay: 2 * time.Second, Factor: 3, MaxDelay: 10 * time.Second}
	boom := errors.New("boom")
	for _, tt := range []struct {
		name    string
		handler bus.Handler
		delays  []time.Duration
	}{
		{"the policy's", script(boom, boom, boom, nil), []time.Duration{2 * time.Second, 6 * time.Second, 10 * time.Second}},
		{"what the error asks for", script(resilience.RetryAfter(boom, time.Minute), nil), []time.Duration{time.Minute}},
		{"never less than the policy's", script(resilience.RetryAfter(boom, time.Millisecond), nil), []time.Duration{2 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, func(t *testing.T, s *bustest.Server) {
				b := connect(t, s, "a")
				p := run(t, b, bus.PoolOptions{Agent: "a", Handler: tt.handler, Backoff: backoff})
				began := time.Now()
				publish(t, b, bus.Envelope{Agent: "a", ID: "x"})
				var sum time.Duration
				for i, got := range p.settlements(t, len(tt.delays)+1) {
					if i < len(tt.delays) && got.Delay != tt.delays[i] {
						t.Errorf("delay %d: got %s, want %s", i, got.Delay, tt.delays[i])
					}
					if i < len(tt.delays) {
						sum += tt.delays[i]
					}
				}
				if took := time.Since(began); took < sum || took > sum+time.Second {
					t.Errorf("all attempts took %s, want %s", took, sum)
				}
				if got := result(t, b, "a", "x"); !got.Success || got.Meta.RetryCount != len(tt.delays) {
					t.Errorf("result: got %s, want success after %d retries", got.Payload, len(tt.delays))
				}
			})
		})
	}
}

// A rejection costs no attempt, comes back when it said, and stops the pool meanwhile.
func TestARejectionCostsNoAttemptAndPausesThePool(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		shut := time.Now().Add(25 * time.Second)
		calls := 0
		p := run(t, b, bus.PoolOptions{Agent: "a", Slots: 1, MaxAttempts: 1, Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			calls++
			if j.Attempt != 1 {
				t.Errorf("request %s: got attempt %d, want 1", j.ID, j.Attempt)
			}
			if time.Now().Before(shut) {
				return bus.Answer{}, resilience.Reject("breaker open", 10*time.Second)
			}
			return answer(ctx, j)
		}})
		for i := range 20 {
			publish(t, b, bus.Envelope{Agent: "a", ID: fmt.Sprint("x", i)})
		}
		for i := range 20 {
			if got := result(t, b, "a", fmt.Sprint("x", i)); !got.Success || got.Meta.RetryCount != 0 {
				t.Errorf("result %d: got %s, want success without retries", i, got.Payload)
			}
		}
		if calls > 20+3 { // one look when it opens and after each ten seconds
			t.Errorf("the handler was called %d times for 20 requests and 25 s of rejections", calls)
		}
		first := p.settlements(t, 1)[0]
		if first.Verdict != bus.VerdictRejected || first.Delay != 10*time.Second {
			t.Errorf("first settlement: got %s after %s, want rejected for 10 s", first.Verdict, first.Delay)
		}
		h, err := b.History(t.Context(), "a", first.Job.ID)
		if err != nil || h.Attempts != 0 || len(h.Entries) != 1 || h.Entries[0].Kind != bus.EntryRejected {
			t.Errorf("ledger: got %+v, %v, want one rejected entry and no attempt", h, err)
		}
	})
}
