package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"genesis/internal/config"
	"genesis/pkg/bus"
)

// canaryPrompt is what a canary asks.
const canaryPrompt = "This is a canary request after an operator's reset. Answer in one word."

// A canary is one small request that tries whether a dependency is back.
type canary struct {
	agent string
	input string
	wait  time.Duration
	none  bool

	body json.RawMessage
}

// canaryOutcome is what became of it.
type canaryOutcome struct {
	Agent    string  `json:"agent"`
	ID       string  `json:"id"`
	Rung     string  `json:"rung"`
	Provider string  `json:"provider"`
	TookMS   float64 `json:"took_ms"`
	Error    string  `json:"error,omitempty"`
}

// String is the outcome for people and for the audit.
func (o *canaryOutcome) String() string {
	switch {
	case o.Agent == "":
		return "no canary was sent: " + o.Error
	case o.Error != "":
		return fmt.Sprintf("the canary to agent %s failed: %s", o.Agent, o.Error)
	}
	return fmt.Sprintf("the canary to agent %s was answered by %s within %s", o.Agent, o.Provider, age(time.Duration(o.TookMS*float64(time.Millisecond))))
}

func (y *canary) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&y.agent, "canary", "", "the `AGENT` that gets the canary (default: one whose first rung uses the dependency)")
	fl.StringVar(&y.input, "canary-input", "", "input for it in place of a prompt, a `JSON` object; @FILE reads it from a file")
	fl.DurationVar(&y.wait, "canary-wait", 30*time.Second, "how long to wait for its answer")
	fl.BoolVar(&y.none, "no-canary", false, "send no canary")
}

func (y *canary) check() (err error) {
	switch {
	case y.none && (y.agent != "" || y.input != ""):
		return usagef("--no-canary leaves nothing for --canary and --canary-input to say")
	case y.wait <= 0:
		return usagef("--canary-wait is %s: use how long to wait, or --no-canary", y.wait)
	}
	if y.agent != "" {
		if err := bus.ValidAgent(y.agent); err != nil {
			return usagef("--canary: %w", err)
		}
	}
	y.body, err = readInput(y.input)
	return err
}

// choose finds the agent that gets the canary, before anything is changed.
func (y *canary) choose(ctx context.Context, b *bus.Bus, cfg *config.Config, provider string) error {
	if y == nil || y.none {
		return nil
	}
	if y.agent != "" {
		return checkAgent(ctx, b, y.agent)
	}
	y.agent = canaryAgent(cfg, provider)
	return nil
}

// canaryAgent is the first agent, by name, that asks the provider first; none when the
// provider is asked only after others, since a canary would not reach it.
func canaryAgent(cfg *config.Config, provider string) string {
	for _, name := range slices.Sorted(maps.Keys(cfg.Agents)) {
		if ladder := cfg.Agents[name].Ladder; len(ladder) > 0 && ladder[0].Provider == provider {
			return name
		}
	}
	return ""
}

// try sends the canary and waits for an answer of the provider.
func (y *canary) try(ctx context.Context, b *bus.Bus, provider string) *canaryOutcome {
	o := &canaryOutcome{Agent: y.agent}
	if y.agent == "" {
		o.Error = "no agent of this configuration asks " + provider + " first; name one by --canary, or use --no-canary"
		return o
	}
	began := time.Now()
	r, err := y.send(ctx, b, o)
	o.TookMS = milliseconds(time.Since(began))
	o.Rung, o.Provider = r.Meta.Rung, r.Meta.Provider
	switch {
	case err != nil:
		o.Error = oneLine(err.Error())
	case !r.Success && r.Error != nil:
		o.Error = oneLine(r.Error.Error())
	case !r.Success:
		o.Error = "no reason is given"
	case r.Meta.Provider != provider:
		o.Error = fmt.Sprintf("it was answered by %s (rung %s), not by %s", orDash(r.Meta.Provider), orDash(r.Meta.Rung), provider)
	}
	return o
}

func (y *canary) send(ctx context.Context, b *bus.Bus, o *canaryOutcome) (bus.StoredResult, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return bus.StoredResult{}, fmt.Errorf("make a request id: %w", err)
	}
	o.ID = id.String()
	replies, err := b.NewReplies("cli-" + uuid.NewString())
	if err != nil {
		return bus.StoredResult{}, err
	}
	defer replies.Close()
	waiter := replies.Expect(y.agent, o.ID)
	defer waiter.Close()
	e := bus.Envelope{
		Agent: y.agent, ID: o.ID, Client: "genesis-cli", Lane: bus.LaneInteractive,
		ReplyTo: replies.Subject(o.ID), Deadline: time.Now().Add(y.wait),
	}
	if e.Request.Input = y.body; y.body == nil {
		e.Request.Prompt = canaryPrompt
	}
	if _, err := b.Publish(ctx, e); err != nil {
		return bus.StoredResult{}, explainPublish(ctx, b, y.agent, err)
	}
	waiting, cancel := context.WithTimeout(ctx, y.wait)
	defer cancel()
	r, err := waiter.Result(waiting, true)
	if errors.Is(err, bus.ErrNotFound) {
		return r, fmt.Errorf("it is not answered within %s", y.wait)
	}
	return r, err
}
