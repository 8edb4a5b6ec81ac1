package resilience_test

import (
	"context"
	"sync"
	"testing"

	"genesis/pkg/resilience"

	"pgregory.net/rapid"
)

// must is what a test needs of *testing.T and *rapid.T.
type must interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newBreaker(t must, o resilience.BreakerOptions) *resilience.Breaker {
	t.Helper()
	b, err := resilience.NewBreaker(o)
	if err != nil {
		t.Fatalf("new breaker: %v", err)
	}
	return b
}

func newRetry(t must, o resilience.RetryOptions) *resilience.Retry {
	t.Helper()
	r, err := resilience.NewRetry(o)
	if err != nil {
		t.Fatalf("new retry: %v", err)
	}
	return r
}

func newBudget(t must, o resilience.BudgetOptions) *resilience.Budget {
	t.Helper()
	b, err := resilience.NewBudget(o)
	if err != nil {
		t.Fatalf("new budget: %v", err)
	}
	return b
}

// events keeps what a policy reports.
type events struct {
	mu   sync.Mutex
	seen []resilience.Event
}

func (e *events) observe(event resilience.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, event)
}

// kinds lists what was seen, each with its reason when there is one.
func (e *events) kinds() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var kinds []string
	for _, event := range e.seen {
		kind := string(event.Kind)
		if event.Reason != "" {
			kind += ": " + event.Reason
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// inBubble checks a property in virtual time.
func inBubble(t *testing.T, property func(context.Context, *rapid.T)) {
	t.Helper()
	resilience.CheckInBubble(t, func(t *testing.T, rt *rapid.T) {
		t.Helper()
		property(t.Context(), rt)
	})
}

func fail(context.Context) error { return errBoom }
