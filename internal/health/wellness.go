package health

import (
	"fmt"

	"genesis/pkg/bus"
)

// wellness is the reason of a component that is healthy.
func (s *Snapshot) wellness(c bus.Component) string {
	switch c.Kind {
	case bus.KindDependency:
		return "it answers; connected since " + moment(s.Broker.Since)
	case bus.KindStream:
		st := s.Streams[c.Name]
		return "it can be used, with " + count(st.Messages, "message")
	case bus.KindBreaker:
		b := s.Breakers[c.Name]
		return "closed in " + count(b.Closed, "worker")
	case bus.KindWorker:
		if w := s.Workers[c.Name]; !w.Lost.IsZero() {
			return "forgotten: lost since " + moment(w.Lost)
		}
		return "it is there"
	case bus.KindAgent:
		a := s.Agents[c.Name]
		return fmt.Sprintf("%s %s it; %s", count(a.Workers, "worker"), verb(a.Workers, "serve"), waiting(&a))
	case bus.KindSystem:
	}
	return "every request is accounted for: " + count(s.Ledger.Checked, "request")
}

// vanished is the reason why something that is not there any more is not ill either.
func vanished(kind bus.HealthKind) string {
	switch kind {
	case bus.KindAgent:
		return "it is not configured any more and has no queue"
	case bus.KindBreaker:
		return "no worker has it any more"
	case bus.KindWorker:
		return "forgotten: it did not return"
	case bus.KindStream, bus.KindDependency, bus.KindSystem:
	}
	return "it is not there any more, and should not be"
}
