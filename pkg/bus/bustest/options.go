package bustest

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Option changes how Start runs the server.
type Option func(*options)

type options struct {
	dir          string
	port         int // server.RANDOM_PORT until one was given
	noListen     bool
	syncAlways   bool
	syncInterval time.Duration
	maxPayload   int
	log          bool
}

// Dir keeps the data in a directory of the caller's, so that a later Start can
// find it again. Without it the data goes with the test.
func Dir(path string) Option { return func(o *options) { o.dir = path } }

// Port listens on this port of 127.0.0.1. Without it, on a free one.
func Port(n int) Option { return func(o *options) { o.port = n } }

// NoListen opens no socket: clients connect in process. A synctest bubble needs it.
func NoListen() Option { return func(o *options) { o.noListen = true } }

// SyncAlways makes the server write to the disk before it acknowledges
// (durability strict).
func SyncAlways() Option { return func(o *options) { o.syncAlways = true } }

// SyncInterval makes the server write to the disk this often (durability
// standard: 100 ms). Without it, the server's own 2 minutes (relaxed).
func SyncInterval(d time.Duration) Option { return func(o *options) { o.syncInterval = d } }

// MaxPayload sets the largest message, headers included, in bytes. Without it,
// the server's own 1 MiB.
func MaxPayload(n int) Option { return func(o *options) { o.maxPayload = n } }

// Log writes the server's log to the test's.
func Log() Option { return func(o *options) { o.log = true } }

// server translates the options into the server's own.
func (o options) server() *server.Options {
	return &server.Options{
		ServerName:   "bustest",
		Host:         "127.0.0.1",
		Port:         o.port,
		DontListen:   o.noListen,
		NoSigs:       true,
		JetStream:    true,
		StoreDir:     o.dir,
		SyncAlways:   o.syncAlways,
		SyncInterval: o.syncInterval,
		MaxPayload:   int32(o.maxPayload), //nolint:gosec // a test's own figure
	}
}
