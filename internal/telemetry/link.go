package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"genesis/pkg/bus"
)

// NATSHealth is how a program reaches the message bus.
type NATSHealth struct {
	Healthy    bool      `json:"healthy" doc:"Whether it can be reached"`
	URL        string    `json:"url" doc:"The server that it is connected to; empty while it is not"`
	Server     string    `json:"server" doc:"The name of that server"`
	Reconnects uint64    `json:"reconnects" doc:"How often it was connected again"`
	Since      time.Time `json:"since" doc:"Since when it can be reached, or cannot"`
}

// A Link knows since when the connection of a bus stands, or is lost. Make it with
// [NewLink]; it may be used concurrently.
type Link struct {
	bus *bus.Bus
	// Changed, when set before the link is used, is called when the connection was made or
	// lost, by whoever notices. It must not block.
	Changed func()

	mu        sync.Mutex
	connected bool
	since     time.Time
}

// NewLink returns the link of a bus. What happens while it does not run is noticed when
// somebody asks.
func NewLink(b *bus.Bus) *Link {
	return &Link{bus: b, connected: b.Connected(), since: time.Now()}
}

// Run watches the connection until ctx ends; then it returns nil.
func (l *Link) Run(ctx context.Context) error {
	nc := l.bus.Conn()
	status := nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	defer nc.RemoveStatusListener(status)
	for {
		l.look()
		select {
		case <-ctx.Done():
			return nil
		case <-status:
		}
	}
}

// look takes over the state of the connection.
func (l *Link) look() {
	now := l.bus.Connected()
	l.mu.Lock()
	changed := l.connected != now
	if changed {
		l.connected, l.since = now, time.Now()
	}
	l.mu.Unlock()
	if changed && l.Changed != nil {
		l.Changed()
	}
}

// State tells whether the broker can be reached right now, and since when that is so.
func (l *Link) State() (connected bool, since time.Time) {
	l.look()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.since.UTC()
}

// Health is how the connection is right now.
func (l *Link) Health() NATSHealth {
	connected, since := l.State()
	nc := l.bus.Conn()
	return NATSHealth{connected, nc.ConnectedUrlRedacted(), nc.ConnectedServerName(), nc.Stats().Reconnects, since}
}
