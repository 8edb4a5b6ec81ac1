package ctl

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

const (
	// monitorWait is how long monitors have to say what they saw.
	monitorWait = time.Second
	// freshLook is how old it may be without a note.
	freshLook = 5 * time.Second
)

// lookAtWork tells how much work every agent has, or the named one: as a monitor saw it
// in its last round, or else as the broker tells it now, without rates and states. A lane
// that nobody counts is left out.
func lookAtWork(cmd *cobra.Command, b *bus.Bus, agent string) ([]health.AgentLag, error) {
	report, why, err := askMonitors(cmd, b, agent)
	if err != nil {
		return nil, err
	}
	if why != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: rates and states are not known: %s\n", why)
		return ownLook(cmd, b, agent)
	}
	if old := time.Since(report.At); old >= freshLook {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: as monitor %s saw it %s ago\n", oneLine(report.Monitor), age(old))
	}
	return report.Agents, nil
}

// askMonitors returns the freshest report of a monitor, or why there is none.
func askMonitors(cmd *cobra.Command, b *bus.Bus, agent string) (report health.LagReport, why string, err error) {
	replies, err := b.Ask(cmd.Context(), bus.ComponentMonitor, bus.CommandLag, health.LagCommand{Agent: agent}, monitorWait)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return report, "no monitor is running; `monitor` or `genesis up` starts one", nil
	case err != nil:
		return report, "", err
	}
	why = "no monitor has seen it yet"
	for _, r := range replies {
		var answer health.LagReport
		if err := r.Decode(&answer); err != nil {
			why = "monitor " + oneLine(err.Error())
			continue
		}
		if len(answer.Agents) > 0 && answer.At.After(report.At) {
			report = answer
		}
	}
	if !report.At.IsZero() {
		why = ""
	}
	return report, why, nil
}

// ownLook asks the broker.
func ownLook(cmd *cobra.Command, b *bus.Bus, agent string) ([]health.AgentLag, error) {
	survey, err := b.Survey(cmd.Context())
	if err != nil {
		return nil, err
	}
	workers, err := b.Workers(cmd.Context())
	if err != nil {
		return nil, err
	}
	var work []health.AgentLag
	for _, l := range survey.Lanes {
		if agent != "" && agent != l.Agent {
			continue
		}
		if n := len(work); n == 0 || work[n-1].Agent != l.Agent {
			work = append(work, served(l.Agent, workers))
		}
		if l.Missing || l.Problem != "" {
			continue
		}
		a := &work[len(work)-1]
		a.Lanes = append(a.Lanes, health.LaneLag{
			Lane: l.Lane, Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag, Redelivered: l.Redelivered, OldestAge: l.OldestAge.Seconds(),
		})
	}
	return work, nil
}

// served is an agent with those who take requests for it.
func served(agent string, workers []bus.WorkerLease) health.AgentLag {
	a := health.AgentLag{Agent: agent}
	for _, w := range workers {
		if load, serves := w.Agents[agent]; serves && !w.Draining {
			a.Workers++
			a.Slots += load.Slots
			a.SlotsInUse += load.InUse
		}
	}
	return a
}
