package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DefaultURL is where a program looks for the broker when nothing else is said.
const DefaultURL = nats.DefaultURL

// defaultWait is how long Connect waits for a broker before it gives up.
const defaultWait = 30 * time.Second

// Options say how to reach the broker. The zero value connects to [DefaultURL].
type Options struct {
	// URL of the broker or of several, comma separated; empty means [DefaultURL].
	URL string
	// Name shows up in the broker's connection list; empty means "genesis".
	Name string
	// Credentials is the path of a .creds file; empty means none.
	Credentials string
	// InProcess connects to a server inside this process, without a socket.
	InProcess nats.InProcessConnProvider
	// Wait bounds the wait for the broker at the start; 0 means 30 s, below 0 for ever.
	Wait time.Duration
	// Background makes Connect return without waiting: the connection is made when the
	// broker comes. Until then every method fails at once with [ErrUnavailable].
	Background bool
	// GroupCommit publishes what waits at the same time as one atomic batch. It pays
	// on a broker that syncs every write (durability strict), and costs elsewhere.
	GroupCommit bool
	// Logger receives what operators should know; nil discards it.
	Logger *slog.Logger
	// Extra options for the connection, such as TLS or a token.
	Extra []nats.Option
}

// A Bus is a connection to the broker. All its methods may be used concurrently.
type Bus struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	log    *slog.Logger
	commit *committer

	handles handles
	oldest  oldestMessages
}

// Connect waits for the broker to answer, with a log message at the first failure
// and every five seconds. It returns when the connection stands and JetStream
// answers, when ctx ends, or when Options.Wait has passed; its error says what to
// check. A connection that breaks later heals by itself, for ever; what is published
// meanwhile fails at once with [ErrUnavailable] and is not sent later behind the
// caller's back. With Options.Background it returns after one attempt, successful or not.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Background {
		return o.connectInBackground()
	}
	wait := o.Wait
	if wait == 0 {
		wait = defaultWait
	}
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errNoAnswer)
		defer cancel()
	}
	b := &Bus{log: o.Logger}
	opts := o.connectOptions()
	var lastLog time.Time
	for {
		err := b.dial(ctx, o.URL, opts)
		if err == nil {
			b.commit = newCommitter(b.js, o.GroupCommit)
			b.nc.SetDisconnectErrHandler(b.disconnected)
			return b, nil
		}
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, errCredentials) {
			return nil, fmt.Errorf("connect to NATS at %s: %w: check the credentials", redacted(o.URL), err)
		}
		if time.Since(lastLog) >= 5*time.Second {
			lastLog = time.Now()
			o.Logger.Warn("waiting for NATS", "url", redacted(o.URL), "error", err)
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errNoAnswer) {
				return nil, fmt.Errorf("connect to NATS at %s: no answer within %s: %w: check that a nats-server with JetStream runs there and that the address is right (--nats, GENESIS_NATS_URL)",
					redacted(o.URL), wait, err)
			}
			return nil, context.Cause(ctx)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

var (
	errNoAnswer    = errors.New("no answer")
	errCredentials = errors.New("unreadable credentials")
)

// redacted is a list of URLs without their passwords.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, text := range list {
		if u, err := url.Parse(strings.TrimSpace(text)); err == nil {
			list[i] = u.Redacted()
		}
	}
	return strings.Join(list, ",")
}

func (o Options) connectOptions() []nats.Option {
	name := o.Name
	if name == "" {
		name = "genesis"
	}
	log := o.Logger
	opts := []nats.Option{
		nats.Name(name),
		nats.Timeout(2 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1), // an outage must be seen at once, not buffered
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("connected to NATS again", "url", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Error("NATS reports an error", "subject", subject, "error", err)
		}),
	}
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.InProcess != nil {
		opts = append(opts, nats.InProcessServer(o.InProcess))
	}
	return append(opts, o.Extra...)
}

// dial makes one attempt: a connection, and JetStream answering on it.
func (b *Bus) dial(ctx context.Context, urls string, opts []nats.Option) error {
	nc, err := nats.Connect(urls, opts...)
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(publishTimeout))
	if err != nil {
		nc.Close()
		return err
	}
	ask, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := js.AccountInfo(ask); err != nil {
		nc.Close()
		return fmt.Errorf("ask for JetStream: %w", err)
	}
	b.nc, b.js = nc, js
	return nil
}

// disconnected runs when the connection breaks.
func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.commit.confirm.lost()
	if err != nil {
		b.log.Warn("lost the connection to NATS", "error", err)
	}
}

// Conn is the connection itself, for what is not JetStream: operator commands by
// the micro protocol.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// JetStream is the context for administration: planning and applying streams.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Connected reports whether the broker can be reached right now.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// MaxPayload is the largest message that the broker takes, in bytes; 0 before the first
// connection.
func (b *Bus) MaxPayload() int64 { return b.nc.MaxPayload() }

// Close flushes what was published and closes the connection. It waits at most two seconds.
func (b *Bus) Close() {
	if b.nc.IsConnected() {
		if err := b.nc.FlushTimeout(2 * time.Second); err != nil {
			b.log.Warn("flush before closing the connection", "error", err)
		}
	}
	b.nc.Close()
}
