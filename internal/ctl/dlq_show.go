package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// A letterDocument is all there is to know of a dead letter.
type letterDocument struct {
	bus.DeadLetter
	Lane   bus.Lane    `json:"lane"`
	Origin letterPlace `json:"origin"`
	// Headers are the original request's and those that tell the cause.
	Headers nats.Header `json:"headers"`
	// Payload is the original request: JSON as it is, a text as a string, and anything
	// else as a string in base64, as PayloadEncoding says.
	Payload         any          `json:"payload"`
	PayloadEncoding string       `json:"payload_encoding"`
	History         *bus.History `json:"history"`
}

// A letterPlace is the message that a dead letter was.
type letterPlace struct {
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence"`
	Subject  string    `json:"subject"`
	Time     time.Time `json:"time"`
}

func newDLQShow(c *cli) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter: the request, why it failed, and its history",
		Args:  oneArg("the ID of a request; `genesis dlq ls` lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(args, true); err != nil {
				return err
			}
			b, _, err := c.connect(cmd)
			if err != nil {
				return err
			}
			defer b.Close()
			d, err := findLetter(cmd.Context(), b, &s)
			if err != nil {
				return err
			}
			doc, err := describeLetter(cmd.Context(), b, d)
			if err != nil {
				return err
			}
			if c.asJSON() {
				return printJSON(cmd.OutOrStdout(), doc)
			}
			return doc.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&s.agent, "agent", "", "the `AGENT`, when several have a request of that id")
	c.connectFlags(cmd)
	c.outputFlag(cmd)
	return cmd
}

// findLetter reads the one dead letter with the selected id.
func findLetter(ctx context.Context, b *bus.Bus, s *selection) (bus.DeadLetter, error) {
	var agents []string
	if _, err := s.each(ctx, b, func(d bus.DeadLetter) { agents = append(agents, d.Agent) }); err != nil {
		return bus.DeadLetter{}, err
	}
	if len(agents) > 1 {
		return bus.DeadLetter{}, usagef("several agents have a dead letter of %s: add --agent, one of %s", s.ids[0], strings.Join(agents, ", "))
	}
	return b.DeadLetter(ctx, agents[0], s.ids[0])
}

func describeLetter(ctx context.Context, b *bus.Bus, d bus.DeadLetter) (*letterDocument, error) {
	doc := &letterDocument{
		DeadLetter: d, Lane: d.Lane(), Headers: letterHeaders(d.Header),
		Origin: letterPlace{Stream: d.Origin.Stream, Sequence: d.Origin.Sequence, Subject: d.Origin.Subject, Time: d.Origin.Time},
	}
	doc.Payload, doc.PayloadEncoding = describePayload(d.Payload)
	h, err := b.History(ctx, d.Agent, d.ID)
	if err == nil {
		doc.History = &h
	} else if !errors.Is(err, bus.ErrNotFound) {
		return nil, err
	}
	return doc, nil
}

// letterHeaders leaves out what the broker adds to a message that it hands out.
func letterHeaders(h nats.Header) nats.Header {
	out := maps.Clone(h)
	maps.DeleteFunc(out, func(key string, _ []string) bool { return strings.HasPrefix(key, "Nats-") && key != bus.HeaderMsgID })
	return out
}

func describePayload(payload []byte) (any, string) {
	switch {
	case json.Valid(payload):
		return json.RawMessage(payload), "json"
	case utf8.Valid(payload):
		return string(payload), "text"
	}
	return payload, "base64"
}

func (d *letterDocument) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range []struct{ name, value string }{
		{"request", d.ID},
		{"agent", d.Agent + ", lane " + string(d.Lane)},
		{"reason", d.Reason},
		{"error", d.Error},
		{"fingerprint", d.Fingerprint},
		{"attempts", fmt.Sprintf("%d, in %s", d.Attempts, deliveriesText(d.Deliveries))},
		{"published", timeText(d.Origin.Time)},
		{"failed", timeText(d.First) + " to " + timeText(d.Last)},
		{"worker", orDash(d.Worker)},
		{"replays", count(d.Replays)},
		{"was", fmt.Sprintf("%s, message %d of %s", d.Origin.Subject, d.Origin.Sequence, d.Origin.Stream)},
	} {
		fmt.Fprintf(tw, "%s\t%s\n", line.name, oneLine(line.value))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, "\nheaders\n")
	for _, key := range slices.Sorted(maps.Keys(d.Headers)) {
		if !strings.HasPrefix(key, "Genesis-Dead-") && !strings.HasPrefix(key, "Genesis-Origin-") { // told above
			fmt.Fprintf(w, "  %s: %s\n", oneLine(key), oneLine(strings.Join(d.Headers[key], ", ")))
		}
	}
	fmt.Fprintf(w, "\npayload (%d bytes, %s)\n%s\n", len(d.DeadLetter.Payload), d.PayloadEncoding, payloadText(d.DeadLetter.Payload))
	if d.History == nil {
		return nil
	}
	fmt.Fprint(w, "\nhistory\n")
	return printHistory(w, d.History)
}

func deliveriesText(n uint64) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// payloadText is a payload for a terminal: indented JSON, or a quoted text.
func payloadText(payload []byte) string {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, payload, "  ", "  "); err == nil && utf8.Valid(payload) {
		return "  " + pretty.String()
	}
	const shown = 4096
	text := string(payload[:min(len(payload), shown)])
	if utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0 {
		return "  " + text
	}
	return fmt.Sprintf("  %q", text)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// printHistory prints the attempt ledger, the oldest entry first.
func printHistory(w io.Writer, h *bus.History) error {
	if h.Dropped > 0 {
		fmt.Fprintf(w, "(the %d oldest entries gave way to newer ones)\n", h.Dropped)
	}
	return printTable(w, h.Entries, []column[bus.Entry]{
		{"AT", func(e bus.Entry) string { return timeText(e.At) }},
		{"WHAT", func(e bus.Entry) string {
			if e.Count > 1 {
				return fmt.Sprintf("%s x%d", e.Kind, e.Count)
			}
			return e.Kind
		}},
		{"ATTEMPT", func(e bus.Entry) string { return positive(e.Attempt) }},
		{"DELIVERY", func(e bus.Entry) string { return positive(int64(e.Delivery)) }}, //nolint:gosec // a small count
		{"WORKER", func(e bus.Entry) string { return e.Worker }},
		{"RETRY AFTER", func(e bus.Entry) string { return age(time.Duration(e.DelayMS) * time.Millisecond) }},
		{"ERROR", func(e bus.Entry) string { return shorten(e.Error, 100) }},
	})
}

func positive[N int | int64](n N) string {
	if n == 0 {
		return ""
	}
	return count(n)
}
