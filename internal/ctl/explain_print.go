package ctl

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"genesis/pkg/bus"
)

func (e *explanation) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "request\t%s\n", e.ID)
	agent := e.Agent
	if e.Lane != "" {
		agent += ", lane " + string(e.Lane)
	}
	fmt.Fprintf(tw, "agent\t%s\n", agent)
	fmt.Fprintf(tw, "state\t%s\n", e.stateText())
	if e.Published != nil {
		fmt.Fprintf(tw, "published\t%s\n", timeText(*e.Published))
	}
	if e.Result != nil {
		fmt.Fprintf(tw, "answered\t%s\n", timeText(*e.Answered))
		fmt.Fprintf(tw, "result\t%s\n", e.resultText())
	}
	if e.DeadLetter != nil {
		fmt.Fprintf(tw, "dead letter\t%s: %s (fingerprint %s)\n", e.DeadLetter.Reason, oneLine(e.DeadLetter.Error), e.DeadLetter.Fingerprint)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if e.History != nil {
		fmt.Fprint(w, "\nhistory\n")
		if err := printHistory(w, e.History); err != nil {
			return err
		}
	}
	if e.State == stateDeadLetter {
		fmt.Fprintf(w, "\n`genesis dlq show %s --agent %s` shows the request, and `genesis dlq replay %[1]s --agent %[2]s` sends it again.\n", e.ID, e.Agent)
	}
	return nil
}

func (e *explanation) stateText() string {
	switch e.State {
	case statePending:
		text := "pending: it waits for a worker or is being executed"
		if next := e.nextAttempt(); time.Until(next) > 0 {
			text = "pending: it waits for its next attempt, at " + timeText(next)
		}
		if e.DeadLetter != nil {
			text += ", being replayed"
		}
		return text
	case stateAnswered:
		return "answered"
	case stateFailed:
		return "failed"
	case stateDeadLetter:
		return "dead letter after " + plural(e.DeadLetter.Attempts, "attempt")
	}
	return "settled long ago: its result has expired, only its failures are known"
}

// nextAttempt is when the broker delivers the request again, by the ledger.
func (e *explanation) nextAttempt() time.Time {
	if e.History == nil || len(e.History.Entries) == 0 {
		return time.Time{}
	}
	last := e.History.Entries[len(e.History.Entries)-1]
	return last.At.Add(time.Duration(last.DelayMS) * time.Millisecond)
}

func (e *explanation) resultText() string {
	r := e.result
	if !r.Success {
		if r.Error == nil {
			return "failure"
		}
		return "failure: " + oneLine(r.Error.Error())
	}
	text := "success"
	if r.Meta.Rung != "" {
		text += " from rung " + r.Meta.Rung
	}
	if r.Meta.Degraded {
		text += " (degraded)"
	}
	text += fmt.Sprintf(", after %s, %s in the queue, %s at work", attemptsText(r.Result), millis(r.Meta.QueuedMS), millis(r.Meta.DurationMS))
	if r.Meta.Worker != "" {
		text += ", by " + r.Meta.Worker
	}
	return oneLine(text)
}

func attemptsText(r bus.Result) string { return plural(r.Meta.RetryCount+1, "attempt") }

func millis(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
