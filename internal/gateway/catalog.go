package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
)

const (
	// catalogAge is how old an answer about agents may be.
	catalogAge = time.Second
	// catalogPatience bounds one look at all agents.
	catalogPatience = 5 * time.Second
	// catalogWidth is how many agents are asked at once.
	catalogWidth = 8
)

// catalog knows which agents there are: those with a request stream. Everything it
// says is at most a second old, and however many ask, the broker is asked once.
type catalog struct {
	bus    *bus.Bus
	flight singleflight.Group
	names  atomic.Pointer[nameList]
	views  atomic.Pointer[viewList]
}

type nameList struct {
	at     time.Time
	sorted []string
	set    map[string]struct{}
}

type viewList struct {
	at    time.Time
	views []AgentView
}

// known returns nil when there is such an agent. An agent once seen stays known until
// somebody asks for one that is not.
func (c *catalog) known(ctx context.Context, name string) error {
	list := c.names.Load()
	if list.has(name) {
		return nil
	}
	if list == nil || time.Since(list.at) >= catalogAge {
		var err error
		if list, err = c.refresh(ctx); err != nil {
			return err
		}
	}
	if list.has(name) {
		return nil
	}
	return unknownAgent(name, list.sorted)
}

func (l *nameList) has(name string) bool {
	if l == nil {
		return false
	}
	_, ok := l.set[name]
	return ok
}

// reachable reports whether the broker answers; at most a second old.
func (c *catalog) reachable(ctx context.Context) bool {
	if list := c.names.Load(); list != nil && time.Since(list.at) < catalogAge {
		return true
	}
	_, err := c.refresh(ctx)
	return err == nil
}

// label is the agent's name for a metric, of which there are as many as agents.
func (c *catalog) label(name string) string {
	if c.names.Load().has(name) {
		return name
	}
	return telemetry.Other
}

// refresh asks the broker for the agents. Whoever asked first may go away meanwhile.
func (c *catalog) refresh(ctx context.Context) (*nameList, error) {
	v, err, _ := c.flight.Do("names", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catalogPatience)
		defer cancel()
		sorted, err := c.bus.Agents(ctx)
		if err != nil {
			return nil, err
		}
		list := &nameList{at: time.Now(), sorted: sorted, set: make(map[string]struct{}, len(sorted))}
		for _, name := range sorted {
			list.set[name] = struct{}{}
		}
		c.names.Store(list)
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*nameList), nil
}

// unknownAgent names the nearest agent there is.
func unknownAgent(name string, names []string) *problemError {
	near := agents.New()
	for _, n := range names {
		_ = near.Add(n, agents.Echo()) // names of streams are valid and unique
	}
	hint := ""
	if n := near.Nearest(name); n != "" {
		hint = "; did you mean " + quote(n) + "?"
	}
	return refuse(kindUnknownAgent, "there is no agent %s%s GET /v1/agents lists them", quote(name), endSentence(hint))
}

func endSentence(hint string) string {
	if hint == "" {
		return ":"
	}
	return hint
}

// lags lists all agents with their lag. Their state is left to be judged, but that of
// those whose queue cannot be read.
func (c *catalog) lags(ctx context.Context) ([]AgentView, error) {
	if list := c.views.Load(); list != nil && time.Since(list.at) < catalogAge {
		return list.views, nil
	}
	v, err, _ := c.flight.Do("views", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catalogPatience)
		defer cancel()
		names, err := c.refresh(ctx)
		if err != nil {
			return nil, err
		}
		views := make([]AgentView, len(names.sorted))
		var g errgroup.Group
		g.SetLimit(catalogWidth)
		for i, name := range names.sorted {
			g.Go(func() error {
				views[i] = c.view(ctx, name)
				return nil
			})
		}
		_ = g.Wait() // each error is in its view
		c.views.Store(&viewList{time.Now(), views})
		return views, nil
	})
	if err != nil {
		return nil, err
	}
	return v.([]AgentView), nil
}

func (c *catalog) view(ctx context.Context, name string) AgentView {
	v := AgentView{Name: name, Lanes: []LaneView{}}
	var total int64
	for _, lane := range bus.Lanes() {
		l, err := c.bus.Lag(ctx, name, lane)
		if err != nil {
			return AgentView{Name: name, State: stateUnavailable, Lanes: []LaneView{}, Error: err.Error()}
		}
		total += int64(l.Lag) //nolint:gosec // a count of messages
		v.Lanes = append(v.Lanes, LaneView{
			Lane: string(lane), Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag,
			Redelivered: l.Redelivered, OldestAge: l.OldestAge.Seconds(),
		})
	}
	v.Lag = &total
	return v
}
