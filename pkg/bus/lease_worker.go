package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// workerPrefix begins the keys of the workers' leases.
const workerPrefix = "worker."

// A WorkerLease is what a worker says about itself while it lives.
type WorkerLease struct {
	Name     string               `json:"name"` // no two workers have the same
	Version  string               `json:"version"`
	Started  time.Time            `json:"started"`
	Draining bool                 `json:"draining"` // it takes no more requests
	Agents   map[string]AgentLoad `json:"agents"`   // those that it serves
	Breakers []BreakerLoad        `json:"breakers"`
}

// AgentLoad is what one agent has to do at one worker.
type AgentLoad struct {
	Slots    int    `json:"slots"`
	InUse    int    `json:"in_use"`
	Requests uint64 `json:"requests"` // that ended in the last minute
	Errors   uint64 `json:"errors"`   // those of them that failed
}

// BreakerLoad is how a breaker of a worker stands.
type BreakerLoad struct {
	Name     string `json:"name"`
	State    string `json:"state"` // closed, open or half_open
	Isolated bool   `json:"isolated"`
	Reason   string `json:"reason"`
}

// AnnounceWorker tells all who watch that a worker is there and how it does, until ctx
// ends; then it says farewell and returns nil. It writes at once what describe returns,
// and again each second; the lease expires three seconds after the last time. While the
// broker is away it goes on trying, and is there again at once when it is back.
//
// The name of the first description stays. describe is called from one goroutine and
// must not block. The error of a worker without a name wraps [ErrInvalid].
func (b *Bus) AnnounceWorker(ctx context.Context, describe func() WorkerLease) error {
	name := describe().Name
	if name == "" {
		return fmt.Errorf("announce a worker: %w: it has no name", ErrInvalid)
	}
	a := announcer{bus: b, name: name, describe: describe}
	for ctx.Err() == nil {
		pause(ctx, a.announce(ctx))
	}
	a.farewell(ctx)
	return nil
}

// An announcer renews the lease of one worker.
type announcer struct {
	bus      *Bus
	name     string
	describe func() WorkerLease
	sequence uint64 // of the lease; 0: not known
	cut      bool   // the last renewal failed
}

// announce writes the lease, and returns when to do so again.
func (a *announcer) announce(ctx context.Context) time.Duration {
	if !a.bus.Connected() {
		a.failed(ctx, errors.New("there is no connection"))
		return leaseRetry
	}
	lease := a.describe()
	lease.Name = a.name
	value, err := json.Marshal(lease)
	if err == nil {
		began := time.Now()
		a.sequence, err = a.bus.writeLease(ctx, leaseWrite{key: leaseKey(workerPrefix, a.name), value: value})
		if err == nil {
			if a.cut {
				a.cut = false
				a.bus.log.Info("this worker is seen again")
			}
			return max(0, leaseRenew-time.Since(began))
		}
	}
	a.failed(ctx, err)
	return leaseRetry
}

func (a *announcer) failed(ctx context.Context, err error) {
	a.sequence = 0
	if !a.cut && ctx.Err() == nil {
		a.bus.log.Warn("this worker cannot be seen: it will be taken for lost", "error", err)
	}
	a.cut = true
}

// farewell gives the lease up, unless it belongs to a successor of the same name.
func (a *announcer) farewell(ctx context.Context) {
	if !a.bus.Connected() {
		return // it expires
	}
	w := leaseWrite{key: leaseKey(workerPrefix, a.name), farewell: true}
	if a.sequence > 0 {
		w.expected = &a.sequence
	}
	if _, err := a.bus.writeLease(context.WithoutCancel(ctx), w); err != nil && !errors.Is(err, ErrExists) {
		a.bus.log.Warn("say farewell: this worker will be taken for lost", "error", err)
	}
}

// Workers lists the workers that are there, by name. It may take five seconds. Errors:
// [ErrUnavailable].
func (b *Bus) Workers(ctx context.Context) ([]WorkerLease, error) {
	entries, err := b.entriesOf(ctx, bucketLeases, workerPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("list the workers: %w", err)
	}
	var all []WorkerLease
	for _, e := range entries {
		lease, err := readWorkerLease(e)
		if err != nil {
			b.log.Warn("a lease that no worker wrote is skipped", "key", e.Key(), "error", err)
			continue
		}
		all = append(all, lease)
	}
	slices.SortFunc(all, func(x, y WorkerLease) int { return cmp.Compare(x.Name, y.Name) })
	return all, nil
}

func readWorkerLease(e jetstream.KeyValueEntry) (WorkerLease, error) {
	var lease WorkerLease
	if err := json.Unmarshal(e.Value(), &lease); err != nil {
		return WorkerLease{}, err
	}
	if !isKeyOf(e.Key(), workerPrefix, lease.Name) {
		return WorkerLease{}, fmt.Errorf("it is that of a worker %q", clip(lease.Name))
	}
	return lease, nil
}
