package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"genesis/internal/config"
	"genesis/internal/embedded"
	"genesis/internal/program"
)

// upInterval is the monitor's interval, unless the configuration says another.
const upInterval = time.Second

// upFlags are the flags of `genesis up`.
type upFlags struct {
	data, http, nats, worker, monitor string
}

func newUp(c *cli) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything in this process, NATS included; Ctrl-C drains",
		Long: `Run everything in this process: the broker, on 127.0.0.1:4222 for any NATS client, the
gateway for HTTP, a worker for all agents, and a monitor. Ctrl-C drains: what is being executed is
finished, what waits is kept in the data directory for the next time.

With nats.url in the configuration (or GENESIS_NATS_URL) that broker is used, and none
is run here.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var overrides []config.Override
			for _, o := range []config.Override{
				{Path: "gateway.http", Value: f.http, Source: "--http"},
				{Path: "worker.http", Value: f.worker, Source: "--worker"},
				{Path: "monitor.http", Value: f.monitor, Source: "--monitor"},
			} {
				if o.Value != "" {
					overrides = append(overrides, o)
				}
			}
			cfg, err := c.load(overrides...)
			if err != nil {
				return err
			}
			return c.up(cmd.Context(), cmd, cfg, f)
		},
	}
	c.configFlag(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "./genesis-data", "`DIR` that holds the data")
	fl.StringVar(&f.http, "http", "", "`ADDR` of the gateway (default: gateway.http of the configuration, 127.0.0.1:8080)")
	fl.StringVar(&f.nats, "nats", embedded.DefaultAddr, "`ADDR` of the broker for NATS clients; port 0 takes a free one")
	fl.StringVar(&f.worker, "worker", "", "`ADDR` of the worker's health and metrics (default: worker.http of the configuration, 127.0.0.1:8082)")
	fl.StringVar(&f.monitor, "monitor", "", "`ADDR` of the monitor and its page (default: monitor.http of the configuration, 127.0.0.1:8081)")
	return cmd
}

// up starts the parts in their order, tells where they are, and waits for the end.
func (c *cli) up(ctx context.Context, cmd *cobra.Command, cfg *config.Config, f upFlags) error {
	program.TuneMemory(c.env)
	log, err := program.Logger(cmd.ErrOrStderr(), c.quiet)
	if err != nil {
		return err
	}
	embeds := cfg.NATS.Embedded()
	if !embeds && cmd.Flags().Changed("nats") {
		return usagef("--nats is where the broker listens that runs here, but nats.url (or GENESIS_NATS_URL) names another one, %s: leave one of them out", withoutPasswords(cfg.NATS.Address()))
	}
	if embeds { // before the ports, which are taken too when this system is up already
		if err := embedded.CheckDir(f.data); err != nil {
			return explainNATS(err)
		}
	}
	for _, listens := range []struct{ addr, flag string }{
		{cfg.Gateway.HTTP, "--http"}, {cfg.Worker.HTTP, "--worker"}, {cfg.Monitor.HTTP, "--monitor"},
	} {
		if err := checkFree(listens.addr, listens.flag); err != nil {
			return err
		}
	}
	cfg.Monitor.Interval = config.Duration(cfg.MonitorInterval(upInterval)) // one machine is looked at in a moment
	// Without a socket between, one request alone is answered a fifth faster.
	var inProcess nats.InProcessConnProvider
	if embeds {
		server, err := startNATS(ctx, cfg, f, log)
		if err != nil {
			return err
		}
		defer server.Stop()
		inProcess, cfg.NATS.URL = server, server.URL()
	}
	b, err := program.Connect(ctx, "up", cfg, log, inProcess)
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted before everything was up")
	case err != nil:
		return err
	}
	defer b.Close()
	token, err := c.operatorToken(f.data)
	if err != nil {
		return err
	}
	traced := c.traceParts(ctx, log)
	defer traced.close(ctx)
	parts, addresses, err := newParts(cfg, b, log, token, f.data, traced)
	if err != nil {
		return err
	}
	addresses.nats, addresses.embedded, addresses.data, addresses.token = withoutPasswords(cfg.NATS.Address()), embeds, f.data, token
	err = runParts(ctx, parts, func(ctx context.Context) error {
		if err := addresses.await(ctx); err != nil {
			return err
		}
		return addresses.print(cmd.OutOrStdout())
	}, func() {
		fmt.Fprintln(cmd.ErrOrStderr(), "genesis: draining: what is being executed is finished; interrupt again to stop at once")
	})
	if err == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "genesis: drained; what waits is kept for the next `genesis up`")
	}
	return err
}

// quiet is the environment with a log that keeps to warnings unless told otherwise:
// the addresses are what a person looks for.
func (c *cli) quiet(name string) (string, bool) {
	if c.env != nil {
		if value, ok := c.env(name); ok && value != "" {
			return value, true
		}
	}
	if name == "GENESIS_LOG_LEVEL" {
		return "warn", true
	}
	return "", false
}

// checkFree tells at once, and with the right flag, that an address cannot be used.
func checkFree(addr, flag string) error {
	l, err := program.Listen(addr, flag)
	if err != nil {
		return err
	}
	return l.Close()
}

// explainNATS says what to do about a broker that does not start.
func explainNATS(err error) error {
	var locked *embedded.LockedError
	switch {
	case errors.Is(err, embedded.ErrAddressInUse):
		return fmt.Errorf("%w: stop it, choose another port with --nats, or use that broker by nats.url in the configuration", err)
	case errors.Is(err, embedded.ErrNotLoopback):
		return program.Usage(fmt.Errorf("--nats: %w: for other machines run nats-server and set nats.url in the configuration", err))
	case errors.As(err, &locked):
		return fmt.Errorf("%w: stop it, or choose another directory with --data", err)
	case errors.Is(err, embedded.ErrAddress):
		return program.Usage(fmt.Errorf("--nats: %w", err))
	case errors.Is(err, embedded.ErrDiskFull):
		return fmt.Errorf("%w: make room, or choose another disk with --data", err)
	case errors.Is(err, embedded.ErrDir):
		return fmt.Errorf("%w: choose another directory with --data", err)
	}
	return err
}
