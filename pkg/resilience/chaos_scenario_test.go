package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"genesis/pkg/resilience"
)

func TestChaosIsRefusedInProduction(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{Environment: "production"})
	for name, err := range map[string]error{
		"add":     c.Add(resilience.Scenario{Kind: resilience.NetworkLatency}),
		"force":   c.Force(resilience.ServiceFailure, 1),
		"disable": c.Disable("llm"),
	} {
		if !errors.Is(err, resilience.ErrChaosRefused) || !resilience.IsPermanent(err) {
			t.Errorf("%s: got %v, want %v, permanent", name, err, resilience.ErrChaosRefused)
		}
	}
	if err := c.Service("llm").Do(t.Context(), pass); err != nil {
		t.Errorf("got %v, want no fault", err)
	}
	for _, environment := range []string{"prod", "Production", ""} {
		_, err := resilience.NewChaos(resilience.ChaosOptions{Environment: environment})
		wantFields(t, err, fmt.Sprintf("chaos: Environment is %q", environment))
	}
}

func TestChaosRefusesWhatCannotWork(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{})
	tests := []struct {
		name string
		s    resilience.Scenario
		want []string
	}{
		{"everything", resilience.Scenario{
			Kind: resilience.TransientFailure, Probability: 2, Services: []string{""}, Latency: 1, Load: 1, Duration: 1, ExpiresAfter: -1,
		}, []string{"Probability is 2", "Services[0] is empty", "Latency is 1ns", "Load is 1", "Duration is 1ns", "MaxOccurrences is missing", "ExpiresAfter is -1ns"}},
		{"an unknown kind", resilience.Scenario{Kind: "earthquake"}, []string{`Kind is "earthquake"`}},
		{"disabling nothing", resilience.Scenario{Kind: resilience.DisableService}, []string{"Services is missing"}},
		{"disabling half", resilience.Scenario{Kind: resilience.DisableService, Services: []string{"a"}, Probability: 0.5}, []string{"take service_failure"}},
		{"latency that fails", resilience.Scenario{Kind: resilience.NetworkLatency, Err: errBoom}, []string{"Err is of no use"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantFields(t, c.Add(tt.s), tt.want...) })
	}
	if err := c.Force(resilience.ServiceFailure, 0); !resilience.IsPermanent(err) {
		t.Errorf("force 0: got %v, want a permanent error", err)
	}
	refusesMisuse(t, c.Service("llm"))
}

// So the preset for remote interfaces tries it again, as it would the real thing.
func TestChaosFailsAsARefusedConnection(t *testing.T) {
	c := mustChaos(t, resilience.ChaosOptions{})
	mustAdd(t, c, resilience.Scenario{Kind: resilience.TransientFailure, MaxOccurrences: 2})
	o := resilience.APICalls()
	o.InitialDelay, o.MaxDelay = 1, 1
	reached := 0
	err := resilience.Chain{newRetry(t, o), c.Service("llm")}.Do(t.Context(), func(context.Context) error { reached++; return nil })
	if err != nil || reached != 1 || c.List()[0].Occurred != 2 {
		t.Errorf("got %v, %d calls that reached the service and %d failures, want two failures and then success", err, reached, c.List()[0].Occurred)
	}
	mustAdd(t, c, resilience.Scenario{Kind: resilience.ServiceFailure})
	if err := c.Service("llm").Do(t.Context(), pass); !resilience.ConnectionFailed(err) || resilience.TimedOut(err) {
		t.Errorf("got %v, want a failed connection", err)
	}
}
