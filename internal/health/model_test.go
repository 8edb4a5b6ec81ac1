package health

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"genesis/pkg/bus"
)

// The model decides by looking back at all that happened, where the watch keeps counts.

// unjudged is a round that said nothing of a component.
const unjudged = -1

// A past is all that happened to one component.
type past struct {
	events []told
	// rounds since the last event or the last restart, as ranks or unjudged.
	rounds []int
	last   int // the last round, or unjudged
	// checks are the ranks of each check in the last round that judged the component; nil:
	// that does not explain the last event.
	checks map[string]int
	// elapsed are the durations of the last rounds in a row that found something passing.
	elapsed []time.Duration
}

type told struct {
	rank int
	at   time.Duration
	seq  uint64
	// since is when this watch learnt of it; restored ones count for no relapse.
	restored bool
}

func (p *past) rank() int {
	if len(p.events) == 0 {
		return 0
	}
	return p.events[len(p.events)-1].rank
}

func (p *past) seq() uint64 {
	if len(p.events) == 0 {
		return 0
	}
	return p.events[len(p.events)-1].seq
}

func (p *past) judge(rank int) { p.rounds, p.last = append(p.rounds, rank), rank }

// waited is how long something passing has been there.
func (p *past) waited(findings []Finding, elapsed time.Duration) (sum time.Duration) {
	if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Passing && f.State.Rank() > 0 }) {
		p.elapsed = nil
		return 0
	}
	if elapsed == 0 {
		elapsed = 5 * time.Second
	}
	p.elapsed = append(p.elapsed, elapsed)
	for _, d := range p.elapsed[1:] {
		sum += d
	}
	return sum
}

// inARow counts the last rounds that fit.
func (p *past) inARow(fits func(rank int) bool) int {
	n := 0
	for _, rank := range slices.Backward(p.rounds) {
		if rank == unjudged || !fits(rank) {
			break
		}
		n++
	}
	return n
}

// patience replays the events: each worsening after an improvement is a relapse, if it
// came within an hour, or else the end of all relapses.
func (p *past) patience(better int) int {
	need, before, improved := better, 0, time.Duration(-1)
	for _, e := range p.events {
		switch {
		case e.restored:
			need, improved = better, -1
		case e.rank < before:
			improved = e.at
		case e.rank > before && improved >= 0:
			if e.at-improved > time.Hour {
				need = better
			} else {
				need = min(2*need, 64)
			}
			improved = -1
		}
		before = e.rank
	}
	return need
}

// model is the broker with its events, the watch, and what should be.
type model struct {
	t             *rapid.T
	w             *Watch
	worse, better int
	pasts         map[bus.Component]*past
	clock         time.Duration
	fresh         bool
	ready         time.Duration // the clock from which on certain findings count
	seq           uint64
}

func newModel(t *rapid.T) *model {
	m := &model{t: t, worse: rapid.IntRange(1, 3).Draw(t, "worse"), better: rapid.IntRange(1, 4).Draw(t, "better"), fresh: true, pasts: map[bus.Component]*past{}}
	m.w = NewWatch(m.thresholds())
	for _, c := range components() {
		m.pasts[c] = &past{last: unjudged}
	}
	return m
}

func (m *model) thresholds() Thresholds {
	return Thresholds{WorseAfter: m.worse, BetterAfter: m.better}
}

// round draws a round, lets both observe it, and returns what should be told.
func (m *model) round(t *rapid.T) []Change {
	r := Round{
		At: noon(), Blind: rapid.IntRange(0, 9).Draw(t, "blind") == 0, WorkersKnown: rapid.IntRange(0, 5).Draw(t, "known") > 0,
		Elapsed: rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second, 11 * time.Minute, 50 * time.Minute}).Draw(t, "elapsed"),
	}
	for _, c := range components() {
		if c != NATS() && (r.Blind || rapid.IntRange(0, 4).Draw(t, "gone") == 0) {
			continue
		}
		v := Verdict{Component: c, Unknown: c != NATS() && rapid.IntRange(0, 9).Draw(t, "unknown") == 0}
		if !v.Unknown {
			v.Findings = drawFindings(t, c)
			v.weighed(weigh(v.Findings, strictly))
		}
		r.Verdicts = append(r.Verdicts, v)
	}
	return m.observe(r)
}

func (m *model) observe(r Round) []Change {
	m.clock += r.Elapsed
	if m.fresh && !r.Blind {
		m.ready = m.clock + 5*time.Second
	}
	certainCounts := !m.fresh && m.clock >= m.ready
	m.fresh = r.Blind
	var want []string
	for _, c := range components() {
		i := slices.IndexFunc(r.Verdicts, func(v Verdict) bool { return v.Component == c })
		var due bool
		var rank int
		if i >= 0 {
			rank, due = m.judged(c, r.Verdicts[i], certainCounts, r.Elapsed)
		} else {
			due = m.gone(c, r)
		}
		if due {
			want = append(want, fmt.Sprintf("%s %s -> %s after %d", c, state(m.pasts[c].rank()), state(rank), m.pasts[c].seq()))
		}
	}
	changes := m.w.Observe(r)
	var got []string
	for _, c := range changes {
		d := c.Event.Data
		got = append(got, fmt.Sprintf("%s %s -> %s after %d", c.Component, d.Previous, d.State, c.After))
		if d.State == d.Previous || d.Reason == "" && d.State != bus.StateHealthy || c.Event.Component != c.Component {
			m.t.Fatalf("no change: %+v", c)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		m.t.Fatalf("round %+v\ngot  %q\nwant %q", r, got, want)
	}
	return changes
}

func (m *model) judged(c bus.Component, v Verdict, certainCounts bool, elapsed time.Duration) (int, bool) {
	p := m.pasts[c]
	if v.Unknown {
		p.judge(unjudged)
		return 0, false
	}
	waited := p.waited(v.Findings, elapsed)
	checks, rank, waits := map[string]int{}, 0, false
	for _, f := range v.Findings {
		if f.Passing && waited < 15*time.Second && f.State.Rank() > p.rank() {
			waits = true
			continue
		}
		// What the check said before, the event that was told, and 80 % of the threshold
		// together can keep it up.
		before := p.checks[f.Check]
		if p.checks == nil {
			before = p.rank()
		}
		held := min(before, p.rank(), f.Keep.Rank())
		checks[f.Check] = max(f.State.Rank(), held)
		rank = max(rank, checks[f.Check])
	}
	if waits && rank == 0 {
		p.judge(unjudged)
		return 0, false
	}
	certain := slices.ContainsFunc(v.Findings, func(f Finding) bool {
		_, counts := checks[f.Check]
		return f.Certain && counts && rank > 0 && f.State.Rank() == rank
	})
	if certain && !certainCounts && c != NATS() {
		p.judge(unjudged)
		return 0, false
	}
	p.checks = checks
	p.judge(rank)
	return rank, m.due(p, rank, certain)
}

func (m *model) gone(c bus.Component, r Round) bool {
	p := m.pasts[c]
	stands := r.Blind || c.Kind == bus.KindSystem || c.Kind == bus.KindDependency ||
		!r.WorkersKnown && c.Kind != bus.KindStream ||
		c.Kind == bus.KindWorker && len(p.events) > 0 && m.clock-p.events[len(p.events)-1].at < 10*time.Minute
	if stands {
		p.judge(unjudged)
		return false
	}
	p.checks = map[string]int{}
	p.judge(0)
	return m.due(p, 0, false)
}

func (m *model) due(p *past, rank int, certain bool) bool {
	switch now := p.rank(); {
	case rank > now:
		return certain || p.inARow(func(r int) bool { return r >= rank }) >= m.worse
	case rank < now:
		return p.inARow(func(r int) bool { return r <= rank }) >= p.patience(m.better)
	}
	return false
}

// store keeps an event and lets the watch know, now and once more.
func (m *model) store(e bus.HealthEvent) {
	m.seq++
	e.ID = fmt.Sprint(m.seq)
	p := m.pasts[e.Component]
	if last := p.rank(); last == e.Data.State.Rank() {
		m.t.Fatalf("%s is told twice to be %s", e.Component, e.Data.State)
	}
	p.events = append(p.events, told{rank: e.Data.State.Rank(), at: m.clock, seq: m.seq})
	p.rounds = nil
	if p.last < p.rank() {
		p.checks = nil
	}
	stored := bus.StoredHealthEvent{HealthEvent: e, Sequence: m.seq}
	m.w.Commit(stored)
	m.w.Commit(stored)
	m.w.Commit(bus.StoredHealthEvent{HealthEvent: bus.HealthEvent{ID: "old", Component: e.Component}, Sequence: m.seq - 1})
}

// restart begins with a new watch and the last events.
func (m *model) restart() {
	var last []bus.StoredHealthEvent
	m.clock, m.fresh, m.ready = 0, true, 0
	for _, c := range components() {
		p := m.pasts[c]
		p.rounds, p.checks, p.last, p.elapsed = nil, nil, unjudged, nil
		if n := len(p.events); n > 0 {
			p.events[n-1].restored, p.events[n-1].at = true, 0
			p.events = p.events[n-1:]
			last = append(last, bus.StoredHealthEvent{
				HealthEvent: bus.HealthEvent{ID: fmt.Sprint(p.seq()), Component: c, Data: bus.HealthData{State: state(p.rank())}}, Sequence: p.seq(),
			})
		}
	}
	m.w = NewWatch(m.thresholds())
	m.w.Restore(last)
}
