package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/synadia-io/orbit.go/natscontext"

	"genesis/internal/config"
	"genesis/pkg/bus"
)

// connectWait is how long a command waits for the broker.
const connectWait = 5 * time.Second

// configFlag gives a command --config.
func (c *cli) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.configFile, "config", "", "configuration `FILE`, genesis.yaml (default: the built-in configuration)")
}

// connectFlags give a command the flags that say where the system is.
func (c *cli) connectFlags(cmd *cobra.Command) {
	c.configFlag(cmd)
	cmd.Flags().StringVar(&c.natsURL, "nats", "", "`URL` of the NATS servers, several separated by commas (GENESIS_NATS_URL)")
	cmd.Flags().StringVar(&c.context, "context", "", "context `NAME` of the nats tool to connect with (default: the selected one)")
}

// load reads the configuration with the environment and the overrides over it.
func (c *cli) load(overrides ...config.Override) (*config.Config, error) {
	return config.Load(c.configFile, c.env, overrides...)
}

// connect connects to the system that the flags, the environment, the configuration
// or the selected context name, in this order. The caller closes the bus.
func (c *cli) connect(cmd *cobra.Command) (*bus.Bus, *config.Config, error) {
	var overrides []config.Override
	if c.natsURL != "" && c.context != "" {
		return nil, nil, usagef("--nats and --context both say where to connect; use one")
	}
	if c.natsURL != "" {
		overrides = append(overrides, config.Override{Path: "nats.url", Value: c.natsURL, Source: "--nats"})
	}
	cfg, err := c.load(overrides...)
	if err != nil {
		return nil, nil, err
	}
	o := bus.Options{
		Name: "genesis-cli", Wait: connectWait, URL: cfg.NATS.Address(), Credentials: cfg.NATS.Credentials,
		Logger: slog.New(&notes{w: cmd.ErrOrStderr()}),
	}
	if c.context != "" || cfg.NATS.Embedded() {
		if err := useContext(&o, c.context); err != nil {
			return nil, nil, err
		}
	}
	b, err := bus.Connect(cmd.Context(), o)
	if err != nil {
		if cmd.Context().Err() != nil {
			return nil, nil, errors.New("interrupted while waiting for NATS")
		}
		return nil, nil, fmt.Errorf("%w; `genesis up` starts everything on this machine", err)
	}
	return b, cfg, nil
}

// useContext takes the address and the credentials of a context of the nats tool; of
// the selected one, if any, when the name is empty.
func useContext(o *bus.Options, name string) error {
	var found nats.Options
	// The last option ends the call before it connects: only what the context says is wanted.
	nc, _, err := natscontext.Connect(name, func(n *nats.Options) error {
		found = *n
		return errRead
	})
	switch {
	case err == nil: // cannot be
		nc.Close()
	case !errors.Is(err, errRead):
		return fmt.Errorf("context %q of the nats tool: %w; `nats context ls` lists the contexts", name, err)
	}
	url := strings.Join(found.Servers, ",")
	if url == "" {
		if name == "" {
			return nil // none is selected
		}
		url = bus.DefaultURL
	}
	o.URL = url
	o.Extra = append(o.Extra, func(n *nats.Options) error {
		n.User, n.Password, n.Token = found.User, found.Password, found.Token
		n.UserJWT, n.Nkey, n.SignatureCB = found.UserJWT, found.Nkey, found.SignatureCB
		n.Secure, n.TLSConfig, n.TLSHandshakeFirst = found.Secure, found.TLSConfig, found.TLSHandshakeFirst
		n.TLSCertCB, n.RootCAsCB = found.TLSCertCB, found.RootCAsCB
		n.CustomDialer, n.InboxPrefix = found.CustomDialer, found.InboxPrefix
		return nil
	})
	return nil
}

var errRead = errors.New("the context is read")

// notes prints warnings of the connection as lines for people.
type notes struct{ w io.Writer }

// Enabled lets warnings and errors through.
func (*notes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle prints the message and its error.
func (n *notes) Handle(_ context.Context, r slog.Record) error {
	line := "genesis: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			line += ": " + a.Value.String()
		}
		return true
	})
	_, err := fmt.Fprintln(n.w, oneLine(line))
	return err
}

// WithAttrs drops them: a line for people has none.
func (n *notes) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup does nothing, as WithAttrs.
func (n *notes) WithGroup(string) slog.Handler { return n }
