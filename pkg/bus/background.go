package bus

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connectInBackground makes a Bus whose connection may come later. The client library
// goes on trying, as it does after an outage.
func (o Options) connectInBackground() (*Bus, error) {
	a := &arrival{log: o.Logger, url: redacted(o.URL)}
	opts := append(
		o.connectOptions(),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // an operator may put the credentials right
		nats.ConnectHandler(a.arrived),
		nats.ReconnectErrHandler(a.failed),
	)
	nc, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w: check the address (--nats, GENESIS_NATS_URL) and the credentials", redacted(o.URL), err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(publishTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to NATS at %s: %w", redacted(o.URL), err)
	}
	b := &Bus{log: o.Logger, nc: nc, js: js, commit: newCommitter(js, o.GroupCommit)}
	nc.SetDisconnectErrHandler(b.disconnected)
	return b, nil
}

// An arrival tells of the first connection, and that it is still waited for.
type arrival struct {
	log *slog.Logger
	url string

	mu     sync.Mutex
	there  bool
	logged time.Time
}

func (a *arrival) arrived(nc *nats.Conn) {
	a.mu.Lock()
	a.there = true
	a.mu.Unlock()
	a.log.Info("connected to NATS", "url", nc.ConnectedUrlRedacted())
}

// failed runs after each attempt that was in vain, also after an outage, of which other
// handlers tell.
func (a *arrival) failed(_ *nats.Conn, err error) {
	a.mu.Lock()
	tell := !a.there && time.Since(a.logged) >= 5*time.Second
	if tell {
		a.logged = time.Now()
	}
	a.mu.Unlock()
	if tell {
		a.log.Warn("waiting for NATS", "url", a.url, "error", err)
	}
}
