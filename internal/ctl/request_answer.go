package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// checkRepeated refuses an id that belongs to another request.
func (c *cli) checkRepeated(ctx context.Context, b *bus.Bus, e bus.Envelope) error {
	e.Request.ID = ""
	digest := e.Request.Digest()
	if p, err := b.Pending(ctx, e.Agent, e.ID); err == nil {
		return sameRequest(e.ID, digest, p.Digest)
	}
	r, err := b.Result(ctx, e.Agent, e.ID)
	if err == nil {
		return sameRequest(e.ID, digest, r.Origin.Digest)
	}
	return nil // unknown, or the publish will tell
}

func sameRequest(id, digest, known string) error {
	if known != "" && known != digest {
		return fmt.Errorf("id %s was used for another request; choose another --id, or leave it out", id)
	}
	return nil
}

// explainPublish says what to do about a request that was not accepted.
func explainPublish(ctx context.Context, b *bus.Bus, agent string, err error) error {
	switch {
	case errors.Is(err, bus.ErrUnknownAgent):
		return unknownAgent(ctx, b, agent)
	case errors.Is(err, bus.ErrFull):
		return fmt.Errorf("%w; try again later, and see `genesis lag`", err)
	case errors.Is(err, bus.ErrTooLarge):
		return fmt.Errorf("%w: the broker takes %d bytes, headers included", err, b.MaxPayload())
	}
	return err
}

// unknownAgent names the agents that there are, the nearest first.
func unknownAgent(ctx context.Context, b *bus.Bus, agent string) error {
	names, err := b.Agents(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("unknown agent %q: there are no agents here yet; a worker or `genesis up` makes them", agent)
	}
	if near := nearest(agent, names); near != "" {
		return fmt.Errorf("unknown agent %q; did you mean %q?", agent, near)
	}
	return fmt.Errorf("unknown agent %q; `genesis agents` lists them", agent)
}

// checkAgent refuses an agent's name that is malformed or unknown; empty is every agent.
func checkAgent(ctx context.Context, b *bus.Bus, agent string) error {
	if agent == "" {
		return nil
	}
	names, err := b.Agents(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(names, agent) {
		return nil
	}
	return unknownAgent(ctx, b, agent)
}

// accepted is what is printed of a request that nobody waits for.
type accepted struct {
	ID       string   `json:"id"`
	Agent    string   `json:"agent"`
	Lane     bus.Lane `json:"lane"`
	Stream   string   `json:"stream"`
	Sequence uint64   `json:"sequence"`
}

func (c *cli) printAccepted(cmd *cobra.Command, e bus.Envelope, r bus.Receipt) error {
	if c.asJSON() {
		return printJSON(cmd.OutOrStdout(), accepted{ID: e.ID, Agent: e.Agent, Lane: r.Lane, Stream: r.Stream, Sequence: r.Sequence})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), e.ID)
	return err
}

// printResult prints an answer: the text of its output, or the result as it stands. A
// failure is an error.
func (c *cli) printResult(cmd *cobra.Command, r bus.StoredResult) error {
	if c.asJSON() {
		if err := printJSON(cmd.OutOrStdout(), json.RawMessage(r.Payload)); err != nil {
			return err
		}
	} else if r.Success {
		fmt.Fprintln(cmd.OutOrStdout(), outputText(r.Output))
		if r.Meta.Degraded {
			fmt.Fprintf(cmd.ErrOrStderr(), "genesis: the answer is degraded: it comes from the rung %s (%s)\n", r.Meta.Rung, orDash(r.Meta.Provider))
		}
	}
	if r.Success {
		return nil
	}
	text := "no reason is given"
	if r.Error != nil {
		text = oneLine(r.Error.Error())
	}
	return fmt.Errorf("request %s failed: %s; `genesis explain %[1]s --agent %[3]s` tells what happened", r.ID, text, r.Agent)
}

// outputText is the text of an answer, or its JSON when it has no text or more than that.
func outputText(output json.RawMessage) string {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(output, &object); err == nil && len(object) == 1 {
		var text string
		if err := json.Unmarshal(object["text"], &text); err == nil {
			return text
		}
	}
	return string(output)
}
