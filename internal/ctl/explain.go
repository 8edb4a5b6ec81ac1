package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// States of a request.
const (
	statePending    = "pending"     // it waits, is being executed, or waits for its next attempt
	stateAnswered   = "answered"    // it succeeded
	stateFailed     = "failed"      // its result is a failure without a dead letter
	stateDeadLetter = "dead_letter" // it was given up, and can be replayed
	stateForgotten  = "forgotten"   // only the ledger knows it: its result has expired
)

// An explanation is what became of one request, and how.
type explanation struct {
	ID    string `json:"id"`
	Agent string `json:"agent"`
	State string `json:"state"`
	// Lane is known while the request is pending or a dead letter.
	Lane       bus.Lane         `json:"lane,omitempty"`
	Published  *time.Time       `json:"published"`
	Answered   *time.Time       `json:"answered"`
	Result     json.RawMessage  `json:"result"`
	DeadLetter *bus.DeadLetter  `json:"dead_letter"`
	History    *bus.History     `json:"history"`
	result     bus.StoredResult // Result, decoded
}

func newExplain(c *cli) *cobra.Command {
	var agent string
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell what became of a request: its state, its attempts, its answer",
		Args:  oneArg("the ID of a request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := bus.ValidID(args[0]); err != nil {
				return usagef("%w", err)
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			e, err := explain(cmd.Context(), b, agent, args[0])
			if err != nil {
				return err
			}
			if c.asJSON() {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return e.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "the `AGENT`, when several have a request of that id")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// explain looks for a request at one agent, or at all.
func explain(ctx context.Context, b *bus.Bus, agent, id string) (*explanation, error) {
	if err := checkAgent(ctx, b, agent); err != nil {
		return nil, err
	}
	names := []string{agent}
	if agent == "" {
		var err error
		if names, err = b.Agents(ctx); err != nil {
			return nil, err
		}
	}
	var found []*explanation
	for _, name := range names {
		e, err := explainAt(ctx, b, name, id)
		if err != nil {
			return nil, err
		}
		if e.State != "" {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("nothing is known of a request %s: results are kept 24 hours and failures 30 days, "+
			"and one that was published without an id shows up once it is answered", id)
	case 1:
		return found[0], nil
	}
	known := make([]string, len(found))
	for i, e := range found {
		known[i] = e.Agent
	}
	return nil, usagef("several agents have a request %s: add --agent, one of %s", id, strings.Join(known, ", "))
}

// explainAt gathers what an agent's streams hold of a request; State is empty when
// they hold nothing.
func explainAt(ctx context.Context, b *bus.Bus, agent, id string) (*explanation, error) {
	e := &explanation{ID: id, Agent: agent}
	p, err := b.Pending(ctx, agent, id)
	pending := err == nil
	if ignoreNotFound(&err) != nil {
		return nil, err
	}
	d, err := b.DeadLetter(ctx, agent, id)
	if err == nil {
		e.DeadLetter = &d
	} else if ignoreNotFound(&err) != nil {
		return nil, err
	}
	r, err := b.Result(ctx, agent, id)
	if err == nil {
		e.Result, e.result, e.Answered = r.Payload, r, &r.Stored
		e.publishedAt(r.Origin.Time)
	} else if ignoreNotFound(&err) != nil {
		return nil, err
	}
	h, err := b.History(ctx, agent, id)
	if err == nil {
		e.History = &h
	} else if ignoreNotFound(&err) != nil {
		return nil, err
	}
	switch {
	case pending:
		e.State, e.Lane = statePending, p.Lane
		e.publishedAt(p.Published)
	case e.DeadLetter != nil && !e.result.Success:
		e.State, e.Lane = stateDeadLetter, d.Lane()
		e.publishedAt(d.Origin.Time)
	case e.Result != nil && e.result.Success:
		e.State = stateAnswered
	case e.Result != nil:
		e.State = stateFailed
	case e.History != nil:
		e.State = stateForgotten
	}
	return e, nil
}

func (e *explanation) publishedAt(t time.Time) {
	if !t.IsZero() {
		e.Published = &t
	}
}

// ignoreNotFound clears an error that only says that something is not there.
func ignoreNotFound(err *error) error {
	if errors.Is(*err, bus.ErrNotFound) {
		*err = nil
	}
	return *err
}
