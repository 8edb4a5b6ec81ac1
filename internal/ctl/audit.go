package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// auditTimeout bounds the writing of an entry.
const auditTimeout = 5 * time.Second

// An auditEntry says who did what, why, to what, and what came of it.
type auditEntry struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Verb   string    `json:"verb"`
	Reason string    `json:"reason"`
	Target string    `json:"target"`
	Result string    `json:"result"`
}

// auditFlags give a command that changes something the flags of its audit entry.
func (c *cli) auditFlags(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(&c.operator, "operator", "", "who does this, for the audit (default: this user at this host)")
	cmd.Flags().StringVar(reason, "why", "", "why, for the audit")
}

// audit writes an entry into the audit stream, also after an interrupt: what was done
// was done.
func (c *cli) audit(ctx context.Context, b *bus.Bus, e auditEntry) error {
	e.At, e.Who = time.Now().UTC(), c.who()
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the audit entry: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if _, err := b.JetStream().Publish(ctx, "genesis.audit."+e.Verb, data); err != nil {
		return fmt.Errorf("it was done, but could not be written to the audit stream (%s of %s): %w", e.Verb, e.Target, err)
	}
	return nil
}

func (c *cli) who() string {
	if c.operator != "" {
		return oneLine(c.operator)
	}
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
