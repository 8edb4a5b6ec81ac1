package resilience_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// budgetModel remembers every call and retry with its second.
type budgetModel struct {
	ratio          float64
	floor          int
	calls, retries []int64
}

func within(seconds []int64, now, last int64) int {
	n := 0
	for _, s := range seconds {
		if s > now-last {
			n++
		}
	}
	return n
}

func (m *budgetModel) spend(now int64) bool {
	allowed := m.ratio * float64(within(m.calls, now, 10))
	ok := float64(within(m.retries, now, 10)+1) <= allowed ||
		allowed < float64(10*m.floor) && within(m.retries, now, 1) < m.floor
	if ok {
		m.retries = append(m.retries, now)
	}
	return ok
}

func TestBudgetBehavesAsItsModel(t *testing.T) {
	inBubble(t, func(_ context.Context, t *rapid.T) {
		m := &budgetModel{ratio: rapid.SampledFrom([]float64{0.2, 0.5, 1}).Draw(t, "ratio"), floor: rapid.IntRange(1, 4).Draw(t, "floor")}
		b := newBudget(t, resilience.BudgetOptions{Ratio: m.ratio, MinPerSecond: m.floor})
		start := time.Now()
		second := func() int64 { return int64(time.Since(start) / time.Second) }
		t.Repeat(map[string]func(*rapid.T){
			"calls": func(t *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(t, "n") {
					b.Deposit()
					m.calls = append(m.calls, second())
				}
			},
			"retries": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "n") {
					if got, want := b.Spend(), m.spend(second()); got != want {
						t.Fatalf("spend: got %v, want %v, stats %+v", got, want, b.Stats())
					}
				}
			},
			"time": func(t *rapid.T) {
				wait(time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				s := b.Stats()
				if calls, retries := within(m.calls, second(), 10), within(m.retries, second(), 10); s.Calls != calls || s.Retries != retries {
					t.Fatalf("stats: got %+v, want %d calls and %d retries", s, calls, retries)
				}
			},
		})
	})
}

// storm lets everything fail for a while and counts the load.
func storm(t *testing.T, perSecond, seconds, attempts int, budget *resilience.Budget) (calls, load int64) {
	t.Helper()
	retry := newRetry(t, resilience.RetryOptions{MaxAttempts: attempts, InitialDelay: 10 * time.Millisecond, Jitter: true, Budget: budget})
	var tried atomic.Int64
	var wg sync.WaitGroup
	for range perSecond * seconds {
		wg.Go(func() {
			_ = retry.Do(t.Context(), func(context.Context) error { tried.Add(1); return errBoom })
		})
		wait(time.Second / time.Duration(perSecond))
	}
	wg.Wait()
	return int64(perSecond * seconds), tried.Load()
}

func TestBudgetKeepsAStormFromGrowing(t *testing.T) {
	for _, perSecond := range []int{50, 200, 1000} {
		synctest.Test(t, func(t *testing.T) {
			calls, load := storm(t, perSecond, 30, 5, newBudget(t, resilience.BudgetOptions{}))
			if got := float64(load) / float64(calls); got > 1.2 || got < 1.15 {
				t.Errorf("got %v times the load, want at most 1.2 and nearly so, input %d failing calls a second", got, perSecond)
			}
		})
	}
}

func TestBudgetAllowsAFewRetriesHoweverFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t, resilience.BudgetOptions{})
		for second := range 20 {
			allowed := 0
			for range 100 {
				if b.Spend() {
					allowed++
				}
			}
			if allowed != 3 {
				t.Fatalf("second %d: got %d retries, want 3", second, allowed)
			}
			wait(time.Second)
		}
	})
}

// A redelivery is a retry, and the execution it leads to is not a new call.
func TestBudgetCountsRedeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, resilience.BudgetOptions{})
		retry := newRetry(t, resilience.RetryOptions{MaxAttempts: 1, Budget: budget})
		const calls = 1000
		queue, load := calls, 0
		for queue > 0 {
			queue--
			_ = retry.Do(t.Context(), fail)
			load++
			if budget.Redelivered() {
				queue++
			}
		}
		if load != calls*12/10 {
			t.Errorf("got a load of %d, want %d, input %d calls", load, calls*12/10, calls)
		}
		if s := budget.Stats(); s.Calls != calls || s.Retries != calls/5 || s.Suppressed == 0 {
			t.Errorf("got %+v, want %d calls and %d retries", s, calls, calls/5)
		}
	})
}

func TestBudgetUnderConcurrency(t *testing.T) {
	b := newBudget(t, resilience.BudgetOptions{})
	var spent atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				b.Deposit()
				if b.Spend() {
					spent.Add(1)
				}
			}
		})
	}
	wg.Wait()
	s := b.Stats()
	if s.Calls != 16000 || int64(s.Retries) != spent.Load() || s.Retries > 3200+10 {
		t.Errorf("got %+v, want 16000 calls, %d retries and not more than a fifth", s, spent.Load())
	}
}

func TestNoBudgetAllowsEverything(t *testing.T) {
	var none *resilience.Budget
	none.Deposit()
	if !none.Spend() || !none.Redelivered() || none.Stats() != (resilience.BudgetStats{}) {
		t.Errorf("got a bound, want none")
	}
}

func TestBudgetOptionsAreRefusedAllAtOnce(t *testing.T) {
	_, err := resilience.NewBudget(resilience.BudgetOptions{Ratio: -1, MinPerSecond: -1})
	if got := message(err); !strings.Contains(got, "budget: Ratio ") || !strings.Contains(got, "budget: MinPerSecond ") {
		t.Errorf("got %v, want both fields named", err)
	}
}

// A rejection is no call: an outage does not fill the budget for the time after it.
func TestBudgetDoesNotGrowByRejections(t *testing.T) {
	budget := newBudget(t, resilience.BudgetOptions{})
	retry := newRetry(t, resilience.RetryOptions{Budget: budget, InitialDelay: 1, MaxDelay: 1})
	_ = retry.Do(t.Context(), func(context.Context) error { return resilience.Reject("breaker open", time.Minute) })
	if got := budget.Stats(); got.Calls != 0 || got.Retries != 0 {
		t.Errorf("rejected: got %+v, want no call", got)
	}
	tries := 0
	err := retry.Do(t.Context(), func(context.Context) error {
		if tries++; tries == 1 {
			return resilience.Reject("no slot", 1)
		}
		return nil
	})
	if got := budget.Stats(); err != nil || got.Calls != 1 || got.Retries != 0 {
		t.Errorf("rejected, and then not: got %v and %+v, want one call and no retry", err, got)
	}
}
