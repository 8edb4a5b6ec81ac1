package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// maxInput bounds what is read from a file or stdin; the broker's own limit is lower.
const maxInput = 64 << 20

// requestFlags are the flags of `genesis request`.
type requestFlags struct {
	wait, timeout         time.Duration
	lane, file, input, id string
	deadline              string
}

func newRequest(c *cli) *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "request AGENT [PROMPT]",
		Short: "Send a request and print the answer",
		Long: `Send a request and print the answer. The prompt is the argument, or comes from a file,
or from stdin when it is - or when something is piped into the command.`,
		Example: `  genesis request echo 'hello'
  genesis request summarizer --file report.txt --lane batch --wait 5m
  genesis request probe --input '{"fail":"retryable","fail_times":2}'
  git log | genesis request summarizer -`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("request needs an AGENT; `genesis agents` lists them")
			case len(args) > 2:
				return usagef("request takes an AGENT and one PROMPT, got also %q; put the prompt in quotes", args[2])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := f.envelope(cmd, args)
			if err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			return c.request(cmd, b, e, f.wait)
		},
	}
	fl := cmd.Flags()
	fl.DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for the answer; 0 only sends the request")
	fl.StringVar(&f.lane, "lane", "", "interactive or batch (default interactive)")
	fl.StringVar(&f.file, "file", "", "`FILE` that holds the prompt")
	fl.StringVar(&f.input, "input", "", "input for the agent, a `JSON` object; @FILE reads it from a file")
	fl.DurationVar(&f.timeout, "timeout", 0, "bound of one execution (default: the agent's own)")
	fl.StringVar(&f.id, "id", "", "the request's `ID` (default: a new one); repeating an id joins its request")
	fl.StringVar(&f.deadline, "deadline", "", "`TIME` after which the answer is not wanted: 90s from now, or RFC 3339")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// envelope makes the request from the flags, the arguments and stdin.
func (f *requestFlags) envelope(cmd *cobra.Command, args []string) (bus.Envelope, error) {
	e := bus.Envelope{Agent: args[0], ID: f.id, Client: "genesis-cli"}
	var err error
	if err := bus.ValidAgent(e.Agent); err != nil {
		return e, usagef("%w", err)
	}
	if f.wait < 0 {
		return e, usagef("--wait is %s: use 0 to only send the request, or how long to wait", f.wait)
	}
	if e.Lane, err = bus.ParseLane(f.lane); err != nil {
		return e, usagef("--lane: %w", err)
	}
	if f.id != "" {
		if err := bus.ValidID(f.id); err != nil {
			return e, usagef("--id: %w", err)
		}
	}
	if e.Deadline, err = parseDeadline(f.deadline, time.Now()); err != nil {
		return e, err
	}
	if f.timeout != 0 {
		e.Request.Timeout = f.timeout.Seconds()
		if err := bus.ValidTimeout(e.Request.Timeout); err != nil {
			return e, usagef("--timeout is %s: use a duration above 0 and up to 24h", f.timeout)
		}
	}
	if e.Request.Input, err = readInput(f.input); err != nil {
		return e, err
	}
	if e.Request.Prompt, err = f.prompt(cmd, args[1:]); err != nil {
		return e, err
	}
	if e.Request.Prompt == "" && e.Request.Input == nil {
		return e, usagef("nothing is asked: give a PROMPT, --file, --input, or pipe the prompt in")
	}
	return e, nil
}

func (f *requestFlags) prompt(cmd *cobra.Command, args []string) (string, error) {
	switch {
	case f.file != "" && len(args) > 0:
		return "", usagef("the prompt is given twice, by the argument and by --file")
	case f.file != "" && f.file != "-":
		file, err := os.Open(f.file)
		if err != nil {
			return "", usagef("--file: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
		return readPrompt(file, f.file)
	case len(args) > 0 && args[0] != "-":
		return args[0], nil
	case len(args) > 0 || f.file == "-" || f.input == "" && isPiped(cmd.InOrStdin()):
		return readPrompt(cmd.InOrStdin(), "stdin")
	}
	return "", nil
}

func readPrompt(r io.Reader, name string) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the prompt from %s: %w", name, err)
	case len(text) > maxInput:
		return "", usagef("the prompt from %s is larger than %d MiB", name, maxInput>>20)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

func readInput(value string) (json.RawMessage, error) {
	if value == "" {
		return nil, nil
	}
	text := []byte(value)
	if name, ok := strings.CutPrefix(value, "@"); ok {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return nil, usagef("--input: %w", err)
		}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return nil, usagef(`--input must be a JSON object, such as '{"name":"value"}'`)
	}
	return text, nil
}

// parseDeadline reads a duration from now, or a time.
func parseDeadline(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if d, dErr := time.ParseDuration(s); dErr == nil {
		t, err = now.Add(d), nil
	}
	if err != nil {
		return time.Time{}, usagef("--deadline is %q: use a duration such as 90s, or a time such as %s", s, now.UTC().Add(time.Hour).Format(time.RFC3339))
	}
	if !t.After(now) {
		return time.Time{}, usagef("--deadline is %q, which has passed", s)
	}
	return t, nil
}

// request sends the request and waits for its result.
func (c *cli) request(cmd *cobra.Command, b *bus.Bus, e bus.Envelope, wait time.Duration) error {
	ctx := cmd.Context()
	if e.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a request id: %w", err)
		}
		e.ID = id.String()
	} else if err := c.checkRepeated(ctx, b, e); err != nil {
		return err
	}
	replies, err := b.NewReplies("cli-" + uuid.NewString())
	if err != nil {
		return err
	}
	defer replies.Close()
	waiter := replies.Expect(e.Agent, e.ID)
	defer waiter.Close()
	e.ReplyTo = replies.Subject(e.ID)

	receipt, err := b.Publish(ctx, e)
	joined := errors.Is(err, bus.ErrExists)
	if err != nil && !joined {
		return explainPublish(ctx, b, e.Agent, err)
	}
	if joined {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: request %s is pending already; this joins it\n", e.ID)
	}
	if wait == 0 {
		return c.printAccepted(cmd, e, receipt)
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	result, err := waiter.Result(waiting, !joined)
	switch {
	case err == nil:
		return c.printResult(cmd, result)
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; request %s is accepted and goes on: `genesis explain %[1]s --agent %s` tells its state", e.ID, e.Agent)
	case errors.Is(err, bus.ErrNotFound):
		return fmt.Errorf("request %s is accepted, but not answered within %s; it goes on: `genesis explain %[1]s --agent %[3]s` tells its state", e.ID, wait, e.Agent)
	}
	return err
}
