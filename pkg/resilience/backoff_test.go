package resilience_test

import (
	"math"
	"testing"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

func TestBackoffDelay(t *testing.T) {
	const longest = time.Duration(math.MaxInt64)
	tests := []struct {
		name    string
		backoff resilience.Backoff
		attempt int
		want    time.Duration
	}{
		{"the zero value waits 1 s after the first failure", resilience.Backoff{}, 1, time.Second},
		{"the zero value doubles", resilience.Backoff{}, 4, 8 * time.Second},
		{"the zero value stops growing at 5 minutes", resilience.Backoff{}, 10, 5 * time.Minute},
		{"attempt 0 counts as the first", resilience.Backoff{}, 0, time.Second},
		{"a negative attempt counts as the first", resilience.Backoff{}, math.MinInt, time.Second},
		{"a billion attempts wait MaxDelay", resilience.Backoff{}, 1e9, 5 * time.Minute},
		{"the largest attempt waits MaxDelay", resilience.Backoff{}, math.MaxInt, 5 * time.Minute},
		{"the factor is kept", resilience.Backoff{InitialDelay: time.Second, Factor: 1.5}, 3, 2250 * time.Millisecond},
		{"factor 1 is constant", resilience.Backoff{InitialDelay: time.Second, Factor: 1}, 1e9, time.Second},
		{"a factor below 1 counts as 2", resilience.Backoff{Factor: 0.5}, 3, 4 * time.Second},
		{"a factor that is no number counts as 2", resilience.Backoff{Factor: math.NaN()}, 3, 4 * time.Second},
		{"an infinite factor waits InitialDelay first", resilience.Backoff{Factor: math.Inf(1)}, 1, time.Second},
		{"an infinite factor then waits MaxDelay", resilience.Backoff{Factor: math.Inf(1)}, 2, 5 * time.Minute},
		{"negative delays count as unset", resilience.Backoff{InitialDelay: -1, MaxDelay: -1}, 10, 5 * time.Minute},
		{"MaxDelay bounds InitialDelay", resilience.Backoff{InitialDelay: time.Hour, MaxDelay: time.Minute}, 1, time.Minute},
		{"the longest durations do not overflow", resilience.Backoff{InitialDelay: longest, MaxDelay: longest}, 1e9, longest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.backoff.Delay(tt.attempt); got != tt.want {
				t.Errorf("got %v, want %v, input %+v attempt %d", got, tt.want, tt.backoff, tt.attempt)
			}
		})
	}
}

// anyBackoff draws any backoff at all, bad values included.
func anyBackoff(t *rapid.T) resilience.Backoff {
	duration := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64().Draw(t, "ns"))
	})
	return resilience.Backoff{
		InitialDelay: duration.Draw(t, "initial"),
		MaxDelay:     duration.Draw(t, "max"),
		Factor:       rapid.Float64().Draw(t, "factor"),
		Jitter:       rapid.Bool().Draw(t, "jitter"),
	}
}

func TestBackoffStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBackoff(t)
		attempt := rapid.Int().Draw(t, "attempt")
		limit := b.MaxDelay
		if limit <= 0 {
			limit = 5 * time.Minute
		}
		if got := b.Delay(attempt); got < 0 || got > limit {
			t.Fatalf("got %v, want it within 0 and %v, input %+v attempt %d", got, limit, b, attempt)
		}
	})
}

func TestBackoffNeverShrinksWithoutJitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBackoff(t)
		b.Jitter = false
		attempt := rapid.IntRange(1, 1e9).Draw(t, "attempt")
		if now, next := b.Delay(attempt), b.Delay(attempt+1); next < now {
			t.Fatalf("got %v then %v, want no shrinking, input %+v attempt %d", now, next, b, attempt)
		}
	})
}

// Jitter is random, so these look at many draws and leave wide margins: each of
// the ten parts of the range is missed by all draws once in 10^90 runs.
func TestBackoffJitterCoversItsRange(t *testing.T) {
	const draws = 2000
	tests := []struct {
		name      string
		attempt   int
		low, high time.Duration
	}{
		{"half to one and a half of the delay", 1, 50 * time.Second, 150 * time.Second},
		{"half to all of MaxDelay at the ceiling, not all at once", 1e9, 500 * time.Second, 1000 * time.Second},
	}
	b := resilience.Backoff{InitialDelay: 100 * time.Second, MaxDelay: 1000 * time.Second, Jitter: true}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var parts [10]int
			for range draws {
				got := b.Delay(tt.attempt)
				if got < tt.low || got > tt.high {
					t.Fatalf("got %v, want within %v and %v, input %+v attempt %d", got, tt.low, tt.high, b, tt.attempt)
				}
				parts[min(int(10*(got-tt.low)/(tt.high-tt.low)), 9)]++
			}
			for i, n := range parts {
				if n == 0 || n > draws/4 {
					t.Errorf("part %d of the range: got %d of %d draws, want about a tenth", i, n, draws)
				}
			}
		})
	}
}

func BenchmarkBackoffDelay(b *testing.B) {
	jittered := resilience.Backoff{Jitter: true}
	b.ReportAllocs()
	for b.Loop() {
		jittered.Delay(1e9)
	}
}
