package resilience

import (
	"testing"
	"time"
)

// In real time, since virtual time stands still while somebody computes.
func TestComputeTakesItsTime(t *testing.T) {
	start := time.Now()
	compute(2 * time.Millisecond)
	if took := time.Since(start); took < 2*time.Millisecond {
		t.Errorf("got %v, want 2ms or more", took)
	}
}

// A service is as free of cost after a scenario expired as before it began.
func TestChaosForgetsWhatHasExpired(t *testing.T) {
	c, err := NewChaos(ChaosOptions{Environment: environmentStaging})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(Scenario{Kind: NetworkLatency, ExpiresAfter: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	p := c.Service("llm")
	<-time.After(time.Millisecond)
	if err := p.inject(t.Context(), *p.faults.Load()); err != nil || p.faults.Load() != nil {
		t.Errorf("got %v and faults %v, want none", err, p.faults.Load())
	}
}
