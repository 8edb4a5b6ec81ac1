package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/resilience"
)

// bucketChaos holds the scenarios that all workers inject, one key a name.
const bucketChaos = "genesis_chaos"

// defaultChaos is how long a scenario lasts when nothing is said, and longestChaos how
// long it may: a fault that was forgotten ends by itself.
const (
	defaultChaos = 15 * time.Minute
	longestChaos = 24 * time.Hour
)

// A ChaosScenario is a fault that all workers inject, with the guide's names. What its
// fields mean and their zero values are those of [resilience.Scenario].
type ChaosScenario struct {
	Name             string                  `json:"name"` // empty: the kind
	Kind             resilience.ScenarioKind `json:"kind"`
	Probability      float64                 `json:"probability,omitempty"`
	LatencyMS        float64                 `json:"latency_ms,omitempty"`
	ErrorType        string                  `json:"error_type,omitempty"` // one of [ChaosErrorTypes]; empty: connection
	CPULoad          float64                 `json:"cpu_load,omitempty"`
	DurationSeconds  float64                 `json:"duration_seconds,omitempty"`
	AffectedServices []string                `json:"affected_services,omitempty"`
	MaxOccurrences   int                     `json:"max_occurrences,omitempty"` // on each worker
	ExpiresAt        time.Time               `json:"expires_at"`                // zero: in 15 minutes; at most in a day

	Operator string    `json:"operator,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	AddedAt  time.Time `json:"added_at"`
}

// ChaosErrorTypes are what an injected failure may look like.
func ChaosErrorTypes() []string {
	return []string{"connection", "timeout", "permanent", "retry_after", "rejected"}
}

// chaosError is the failure of that type. The guide's names of classes are understood.
func chaosError(errorType string) (error, bool) {
	switch errorType {
	case "", "connection", "ConnectionError":
		return syscall.ECONNREFUSED, true
	case "timeout", "TimeoutError":
		return os.ErrDeadlineExceeded, true
	case "permanent":
		return resilience.Permanent(errors.New("bad request")), true
	case "retry_after":
		return resilience.RetryAfter(errors.New("too many requests"), time.Second), true
	case "rejected":
		return resilience.Reject("chaos", time.Second), true
	}
	return nil, false
}

// withDefaults fills in what is left out.
func (s ChaosScenario) withDefaults(now time.Time) ChaosScenario {
	s.Name = cmp.Or(s.Name, string(s.Kind))
	if s.ExpiresAt.IsZero() {
		s.ExpiresAt = now.Add(defaultChaos)
	}
	s.AddedAt, s.ExpiresAt = now.UTC(), s.ExpiresAt.UTC()
	return s
}

// scenario is s for the engine, or everything wrong with it.
func (s ChaosScenario) scenario(now time.Time) (resilience.Scenario, error) {
	var errs []error
	r := resilience.Scenario{
		Name: s.Name, Kind: s.Kind, Probability: s.Probability, Services: s.AffectedServices,
		Latency: time.Duration(s.LatencyMS * float64(time.Millisecond)),
		Load:    s.CPULoad, Duration: time.Duration(s.DurationSeconds * float64(time.Second)),
		MaxOccurrences: s.MaxOccurrences, ExpiresAfter: s.ExpiresAt.Sub(now),
	}
	if r.ExpiresAfter <= 0 {
		errs = append(errs, fmt.Errorf("it has expired at %s", s.ExpiresAt.Format(time.RFC3339)))
		r.ExpiresAfter = 0
	}
	switch fault, known := chaosError(s.ErrorType); {
	case !known:
		errs = append(errs, fmt.Errorf("unknown error type %q: use %s", s.ErrorType, strings.Join(ChaosErrorTypes(), ", ")))
	case s.ErrorType != "" || s.Kind == resilience.ServiceFailure || s.Kind == resilience.TransientFailure || s.Kind == resilience.DisableService:
		r.Err = fault
	}
	errs = append(errs, r.Validate())
	return r, errors.Join(errs...)
}

// ListChaos returns the scenarios that have not expired, the oldest first.
func (b *Bus) ListChaos(ctx context.Context) ([]ChaosScenario, error) {
	entries, err := b.entries(ctx, bucketChaos)
	if err != nil {
		return nil, fmt.Errorf("list chaos: %w", err)
	}
	now := time.Now()
	var all []ChaosScenario
	for _, e := range entries {
		s, err := readChaos(e)
		if err != nil {
			return nil, fmt.Errorf("list chaos: %w", err)
		}
		if s.ExpiresAt.After(now) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(x, y ChaosScenario) int {
		return cmp.Or(x.AddedAt.Compare(y.AddedAt), strings.Compare(x.Name, y.Name))
	})
	return all, nil
}

// AddChaos makes all workers inject a scenario, in place of one of the same name, and
// returns it with its defaults. Workers in production refuse it; whoever calls this
// should have asked them before ([CommandChaos]). Errors: [ErrInvalid] with everything
// wrong, [ErrUnavailable].
func (b *Bus) AddChaos(ctx context.Context, s ChaosScenario) (ChaosScenario, error) {
	now := time.Now()
	s = s.withDefaults(now)
	_, err := s.scenario(now)
	if s.ExpiresAt.Sub(now) > longestChaos { // workers, whose clocks differ, take any
		err = errors.Join(err, fmt.Errorf("it expires at %s: that is more than %s away", s.ExpiresAt.Format(time.RFC3339), longestChaos))
	}
	if err != nil {
		return s, fmt.Errorf("add chaos: %w: %w", ErrInvalid, err)
	}
	if err := ValidID(s.Name); err != nil {
		return s, fmt.Errorf("add chaos: the name: %w", err)
	}
	value, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("add chaos: %w", err)
	}
	kv, err := b.bucket(ctx, bucketChaos)
	if err != nil {
		return s, fmt.Errorf("add chaos: %w", err)
	}
	if _, err := kv.Put(ctx, s.Name, value); err != nil {
		return s, fmt.Errorf("add chaos %s: %w", s.Name, publishError(err))
	}
	return s, nil
}

// RemoveChaos makes all workers end a scenario. Errors: [ErrNotFound], [ErrUnavailable].
func (b *Bus) RemoveChaos(ctx context.Context, name string) error {
	op := "remove chaos " + name
	if err := ValidID(name); err != nil {
		return fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	kv, err := b.bucket(ctx, bucketChaos)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if _, err := kv.Get(ctx, name); err != nil {
		return readError(op, err)
	}
	if err := kv.Delete(ctx, name); err != nil {
		return fmt.Errorf("%s: %w", op, publishError(err))
	}
	return nil
}

// readChaos reads a scenario from the bucket; its key is its name.
func readChaos(e jetstream.KeyValueEntry) (ChaosScenario, error) {
	var s ChaosScenario
	if err := json.Unmarshal(e.Value(), &s); err != nil {
		return s, fmt.Errorf("read chaos %s: %w", e.Key(), err)
	}
	s.Name = e.Key()
	return s, nil
}
