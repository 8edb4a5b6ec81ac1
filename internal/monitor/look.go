package monitor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"genesis/internal/config"
	"genesis/internal/health"
	"genesis/internal/program"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// lookPatience bounds one look at everything.
const lookPatience = 8 * time.Second

// tallyPatience bounds the reading of dead letters in one look.
const tallyPatience = 2 * time.Second

// A looker makes the snapshots: from one survey of the broker, the leases of the workers,
// the tally of the dead letters, and what the configuration says there should be.
type looker struct {
	bus   *bus.Bus
	cfg   *config.Config
	staff *staff
	flow  *flow
	tally *tally
	link  *telemetry.Link

	streams  []string            // that should be there
	agents   []string            // that should be there: of a configuration that somebody wrote
	there    []string            // the agents that the last survey saw
	ways     map[string][]string // by agent: see health.Agent
	users    map[string][]string // by provider: the agents with a rung of it
	previous time.Time           // when the last survey was made, if there was no gap since
	survey   bus.Survey          // the last one
	told     time.Time           // the broker's clock when it last told the time,
	heard    time.Time           // and this machine's
}

func newLooker(cfg *config.Config, b *bus.Bus, s *staff, t *tally, l *telemetry.Link) (*looker, error) {
	k := &looker{
		bus: b, cfg: cfg, staff: s, flow: newFlow(), tally: t, link: l,
		ways: map[string][]string{}, users: map[string][]string{},
	}
	wanted, err := program.Streams(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.AgentsConfigured() {
		k.agents = cfg.AgentNames()
	}
	for _, stream := range wanted {
		if agent, is := bus.AgentOfStream(stream.Name); !is || slices.Contains(k.agents, agent) {
			k.streams = append(k.streams, stream.Name)
		}
	}
	for _, name := range cfg.AgentNames() {
		for _, rung := range cfg.Agents[name].Ladder {
			k.addWay(name, rung.Provider)
		}
	}
	return k, nil
}

// addWay notes how an agent can be answered. A provider without a breaker is never shut.
func (k *looker) addWay(agent, provider string) {
	way := ""
	if policy, ok := k.cfg.Policies[k.cfg.Providers[provider].Policy]; ok && provider != "" && policy.Breaker != nil {
		way = provider
	}
	k.ways[agent] = append(k.ways[agent], way)
	if provider != "" && !slices.Contains(k.users[provider], agent) {
		k.users[provider] = append(k.users[provider], agent)
	}
}

// look takes a snapshot. The error is about what is left out of it.
func (k *looker) look(ctx context.Context) (health.Snapshot, error) {
	now := time.Now()
	s := health.Snapshot{At: k.clock(now), Broker: k.broker(), Configured: k.expected()}
	if !s.Broker.Connected {
		k.blind()
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	survey, err := k.bus.Survey(ctx)
	if err != nil && len(survey.Streams) == 0 {
		k.blind()
		if !k.bus.Connected() {
			s.Broker = k.broker()
			return s, nil
		}
		s.Broker.Problem = "JetStream does not answer: " + err.Error()
		return s, nil
	}
	k.survey = survey
	if !survey.At.IsZero() { // else there is no stream
		k.told, k.heard = survey.At, time.Now()
		s.At = survey.At
	}
	if !k.previous.IsZero() {
		s.Elapsed = now.Sub(k.previous)
	}
	k.previous = now
	problem := err
	k.see(&s, survey)
	s.Workers = k.staff.workers(s.At)
	k.employ(&s)
	problem = errors.Join(problem, k.bury(ctx, &s, survey))
	return s, problem
}

// clock is what the broker's clock shows now, or this machine's as long as nobody heard
// it. A step of this machine's clock does not change it.
func (k *looker) clock(now time.Time) time.Time {
	if k.told.IsZero() {
		return now.UTC()
	}
	return k.told.Add(now.Sub(k.heard))
}

// expected are the agents that should be there, and those that were.
func (k *looker) expected() []string {
	all := slices.Concat(k.agents, k.there)
	slices.Sort(all)
	return slices.Compact(all)
}

// broker is how the connection is right now.
func (k *looker) broker() health.Broker {
	connected, since := k.link.State()
	return health.Broker{Connected: connected, Since: since, Servers: 1}
}

// blind forgets what would be compared with: there is a gap.
func (k *looker) blind() {
	k.previous = time.Time{}
	k.flow.forget()
}

// see takes over what the survey tells of streams and queues.
func (k *looker) see(s *health.Snapshot, survey bus.Survey) {
	s.Broker.Storage, s.Broker.StorageLimit = survey.Storage, survey.StorageLimit
	s.Broker.Servers = 1
	s.Streams = make(map[string]health.Stream, len(survey.Streams))
	s.Agents = make(map[string]health.Agent)
	for _, name := range k.streams {
		s.Streams[name] = health.Stream{Missing: true}
	}
	for _, name := range k.agents {
		s.Agents[name] = health.Agent{Arrival: unknown, Service: unknown, Problem: "its queue is missing"}
	}
	var offline []string
	for _, stream := range survey.Streams {
		s.Streams[stream.Name] = streamOf(stream)
		offline = append(offline, stream.Offline...)
		s.Broker.Servers = max(s.Broker.Servers, stream.Replicas)
		if name, is := bus.AgentOfStream(stream.Name); is {
			a := health.Agent{Timeout: k.timeout(name), Ways: k.ways[name]}
			a.Arrival, a.Service = k.flow.rates(name, stream, s.Elapsed)
			s.Agents[name] = a
		}
	}
	slices.Sort(offline)
	s.Broker.Offline = slices.Compact(offline)
	for _, l := range survey.Lanes {
		if a, ok := s.Agents[l.Agent]; ok {
			addLane(&a, l)
			s.Agents[l.Agent] = a
		}
	}
	k.there = slices.Sorted(maps.Keys(s.Agents))
	k.flow.keep(func(name string) bool { _, there := s.Agents[name]; return there })
}

func (k *looker) timeout(agent string) time.Duration {
	if a, ok := k.cfg.Agents[agent]; ok {
		return a.Timeout.Std()
	}
	return k.cfg.Defaults.Timeout.Std()
}

func addLane(a *health.Agent, l bus.LaneSurvey) {
	switch lane := string(l.Lane); {
	case l.Missing:
		a.Problem = "the consumer of its " + lane + " lane is missing"
	case l.Problem != "":
		a.Problem = "the consumer of its " + lane + " lane cannot be read: " + l.Problem
	case l.Paused:
		a.Problem = "its " + lane + " lane is paused"
	}
	if l.Missing || l.Problem != "" {
		return
	}
	a.Lanes = append(a.Lanes, health.Lane{
		Name: l.Lane, Pending: l.Pending, InFlight: l.InFlight, Lag: l.Lag, Redelivered: l.Redelivered, OldestAge: l.OldestAge,
	})
	a.Lag += l.Lag
	a.Redelivered += l.Redelivered
	a.OldestAge = max(a.OldestAge, l.OldestAge)
}

func streamOf(s bus.StreamSurvey) health.Stream {
	return health.Stream{
		Messages: s.Messages, Bytes: s.Bytes, MaxMessages: s.MaxMessages, MaxBytes: s.MaxBytes, DiscardOld: s.DiscardOld,
		Clustered: s.Clustered, Leader: s.Leader, Replicas: s.Replicas, Offline: s.Offline, Problem: s.Problem,
	}
}

// employ adds up what the workers say of agents and breakers.
func (k *looker) employ(s *health.Snapshot) {
	s.Breakers = map[string]health.Breaker{}
	leases, known := k.staff.leases()
	s.WorkersKnown = known
	for _, lease := range leases {
		for name, load := range lease.Agents {
			a, there := s.Agents[name]
			if !there || lease.Draining {
				continue
			}
			a.Workers++
			a.Slots += load.Slots
			a.InUse += load.InUse
			a.Requests += load.Requests
			a.Errors += load.Errors
			s.Agents[name] = a
		}
		for _, load := range lease.Breakers {
			b := s.Breakers[load.Name]
			addBreaker(&b, load)
			b.Agents = k.users[load.Name]
			s.Breakers[load.Name] = b
		}
	}
}

func addBreaker(b *health.Breaker, load bus.BreakerLoad) {
	switch load.State {
	case resilience.StateOpen:
		b.Open++
	case resilience.StateHalfOpen:
		b.HalfOpen++
	default:
		b.Closed++
	}
	b.Isolated = b.Isolated || load.Isolated
	if b.Reason == "" {
		b.Reason = strings.TrimSpace(load.Reason)
	}
}

// bury counts the dead letters.
func (k *looker) bury(ctx context.Context, s *health.Snapshot, survey bus.Survey) error {
	at := slices.IndexFunc(survey.Streams, func(s bus.StreamSurvey) bool { return s.Name == bus.StreamDeadLetters })
	if at < 0 || survey.Streams[at].Problem != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tallyPatience)
	defer cancel()
	err := k.tally.look(ctx, s.At, survey.Streams[at].LastSequence, survey.Streams[at].Messages)
	kept, lately := k.tally.of()
	for _, name := range slices.Collect(maps.Keys(s.Agents)) {
		a := s.Agents[name]
		a.DeadLettersKept, a.DeadLetters = kept[name], lately[name]
		s.Agents[name] = a
	}
	return err
}
