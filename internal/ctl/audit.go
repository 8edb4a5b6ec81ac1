package ctl

import (
	"context"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// auditFlags give a command that changes something the flags of its audit record.
func (c *cli) auditFlags(cmd *cobra.Command, why *string) {
	c.operatorFlag(cmd)
	cmd.Flags().StringVar(why, "why", "", "why, for the audit")
}

// reasonFlags are auditFlags for the commands of an emergency, which say reason.
func (c *cli) reasonFlags(cmd *cobra.Command, reason *string) {
	c.operatorFlag(cmd)
	cmd.Flags().StringVar(reason, "reason", "", "why, for the audit and the workers' logs")
}

func (c *cli) operatorFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.operator, "operator", "", "who does this, for the audit (default: this user at this host)")
}

// audit writes a record into the audit stream, also after an interrupt.
func (c *cli) audit(ctx context.Context, b *bus.Bus, r bus.AuditRecord) error {
	r.Who = c.who()
	return b.Audit(ctx, r)
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
