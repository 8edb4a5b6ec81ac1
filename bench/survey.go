package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus"
)

// surveyBudget is the CPU time that a survey may take for each consumer, the broker's
// included: 20 ms for 300.
const surveyBudget = 20 * time.Millisecond / 300

// benchSurvey measures one look of the monitor at all lanes, idle and each with a
// backlog, against the same by nats.go's listings.
func benchSurvey(ctx context.Context, b *bench) error {
	for _, agents := range []int{150, 1000} {
		if agents > 150 && b.quick {
			continue
		}
		if err := surveyed(ctx, b, agents); err != nil {
			return err
		}
	}
	return nil
}

// surveyed measures surveys of so many agents.
func surveyed(ctx context.Context, b *bench, agents int) error {
	more := make([]string, agents-2) // an arena has two
	for i := range more {
		more[i] = fmt.Sprintf("agent-%d", i)
	}
	a, err := openArena(ctx, relaxed, more...)
	if err != nil {
		return err
	}
	defer a.close()
	consumers := agents * len(bus.Lanes())
	for _, backlog := range []int{0, 10, 100} {
		name := fmt.Sprintf("%d consumers, idle", consumers)
		if backlog > 0 {
			name = fmt.Sprintf("%d consumers, %d requests in each", consumers, backlog)
		}
		if !b.wants(name) {
			continue
		}
		if err := a.backlog(ctx, append(more, rawAgent, genesisAgent), backlog); err != nil {
			return err
		}
		n := max(10, 20*300/consumers)
		c, err := b.versus(ctx, a.broker, name, a.looks("nats.go", a.look), a.looks("genesis", a.survey(consumers, backlog)), n, b.rounds)
		if err != nil {
			return err
		}
		cpu := (c.genesis.cpu.Client + c.genesis.cpu.Server) / 1000
		budget := float64(surveyBudget*time.Duration(consumers)) / float64(time.Millisecond)
		b.add(row{
			Case: name, Unit: "ms CPU", Base: budget, Genesis: cpu, Ratio: cpu / budget, Target: target{AtMost: 1},
			BaseCPU: c.base.cpu, GenesisCPU: c.genesis.cpu, BaseAllocs: c.base.allocs, GenesisAllocs: c.genesis.allocs,
			Note: fmt.Sprintf("base: the budget; its CPU is that of nats.go's listings; one survey takes %.1f ms", 1000/c.genesis.perSecond),
		})
	}
	return nil
}

// backlog puts requests into both lanes of each agent, until each holds n.
func (a *arena) backlog(ctx context.Context, names []string, n int) error {
	for _, name := range names {
		for _, lane := range bus.Lanes() {
			l, err := a.publisher.Lag(ctx, name, lane)
			if err != nil {
				return err
			}
			err = eachOf(ctx, min(n, inFlight), max(n-int(l.Lag), 0), func(ctx context.Context) error { //nolint:gosec // small
				_, err := a.publisher.Publish(ctx, bus.Envelope{Agent: name, Lane: lane, Request: bus.Request{Prompt: "hi"}})
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// looks is a side that looks n times.
func (a *arena) looks(name string, look func(context.Context) error) side {
	return side{name, nil, func(ctx context.Context, n int) (time.Duration, error) {
		began := time.Now()
		for range n {
			if err := look(ctx); err != nil {
				return 0, err
			}
		}
		return time.Since(began), nil
	}}
}

// survey is one look of Genesis, which must see everything.
func (a *arena) survey(consumers, backlog int) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := a.publisher.Survey(ctx)
		if err != nil {
			return err
		}
		for _, l := range s.Lanes {
			if l.Missing || l.Problem != "" || l.Lag != uint64(backlog) || (l.OldestAge > 0) != (backlog > 0) { //nolint:gosec // small
				return fmt.Errorf("the survey is wrong: got %+v, want a lag of %d", l, backlog)
			}
		}
		if len(s.Lanes) != consumers {
			return fmt.Errorf("the survey has %d lanes, want %d", len(s.Lanes), consumers)
		}
		return nil
	}
}

// look is what the plainest good program does: it lists the streams and each one's
// consumers, and reads the first message of each lane that has one.
func (a *arena) look(ctx context.Context) error {
	streams := a.admin.ListStreams(ctx)
	for info := range streams.Info() {
		if _, ok := bus.AgentOfStream(info.Config.Name); !ok {
			continue
		}
		s, err := a.admin.Stream(ctx, info.Config.Name)
		if err != nil {
			return err
		}
		consumers := s.ListConsumers(ctx)
		for c := range consumers.Info() {
			if c.NumPending+uint64(c.NumAckPending) == 0 { //nolint:gosec // never below 0
				continue
			}
			if _, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(c.Config.FilterSubject)); err != nil {
				return err
			}
		}
		if err := consumers.Err(); err != nil {
			return err
		}
	}
	return streams.Err()
}
