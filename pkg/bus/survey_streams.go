package bus

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// askStreams asks for the state of all streams, page by page.
func (s *survey) askStreams(offset int) {
	ask := append(strconv.AppendInt([]byte(`{"offset":`), int64(offset), 10), '}')
	s.missing++
	s.volley.ask("$JS.API.STREAM.LIST", ask, func(msg *nats.Msg) {
		s.missing--
		page, err := readAnswer[streamPage](msg)
		if err != nil {
			s.fail("list the streams", err)
			return
		}
		for i := range page.Streams {
			s.addStream(&page.Streams[i], slices.Contains(page.Missing, page.Streams[i].Config.Name))
		}
		for _, name := range page.Missing {
			s.addMissing(name, page.Offline[name])
		}
		if next := offset + int(max(page.Limit, 1)); next < int(page.Total) {
			s.askStreams(next)
		}
	})
}

const (
	// A replica counts as away when it was silent for so long, or is so many writes
	// behind. Under load any replica is a few behind at any moment.
	maxSilence = 5 * time.Second
	maxBehind  = 1000
)

// ours reports whether a stream belongs to Genesis.
func ours(stream string) bool {
	return strings.HasPrefix(stream, "GENESIS_") || strings.HasPrefix(stream, "KV_genesis_")
}

func (s *survey) addStream(t *streamState, missing bool) {
	if s.result.At.Before(t.At) {
		s.result.At = t.At
	}
	if missing || !ours(t.Config.Name) {
		return
	}
	out := StreamSurvey{
		Name: t.Config.Name, Messages: t.State.Messages, Bytes: t.State.Bytes,
		FirstSequence: t.State.FirstSequence, LastSequence: t.State.LastSequence,
		MaxMessages: t.Config.MaxMessages, MaxBytes: t.Config.MaxBytes,
		DiscardOld: t.Config.Discard != "new", Replicas: int(t.Config.Replicas),
	}
	if t.State.Messages > 0 {
		out.FirstTime = t.State.FirstTime
	}
	if t.Cluster != nil && s.bus.nc.ConnectedClusterName() != "" {
		out.Clustered, out.Leader = true, t.Cluster.Leader
		for _, r := range t.Cluster.Replicas {
			if r.Offline || !r.Current && (r.Silent > maxSilence || r.Behind > maxBehind) {
				out.Offline = append(out.Offline, r.Name)
			}
		}
		slices.Sort(out.Offline)
	}
	s.result.Streams = append(s.result.Streams, out)
	if agent, ok := AgentOfStream(out.Name); ok {
		s.askLanes(agent, t)
	}
}

// addMissing adds a stream that the broker knows by name only.
func (s *survey) addMissing(name, why string) {
	if !ours(name) {
		return
	}
	if why == "" {
		why = "no server leads it: too few of its replicas are up"
	}
	out := StreamSurvey{Name: name, Clustered: s.bus.nc.ConnectedClusterName() != "", Problem: why}
	s.result.Streams = append(s.result.Streams, out)
	if agent, ok := AgentOfStream(name); ok {
		q := s.addQueue(agent)
		for i := range q.lanes {
			q.lanes[i].Problem = why
		}
	}
}

// askAccount asks what the account keeps on disk. With tiers, which a cluster's operator
// may set for each number of replicas, the sum of their limits counts.
func (s *survey) askAccount() {
	s.missing++
	s.volley.ask("$JS.API.INFO", nil, func(msg *nats.Msg) {
		s.missing--
		account, err := readAnswer[accountState](msg)
		if err != nil {
			s.fail("read the account", err)
			return
		}
		s.result.Storage, s.result.StorageLimit = account.Storage, max(account.Limits.Storage, 0)
		for _, t := range account.Tiers {
			if t.Limits.Storage <= 0 { // one without a limit: there is none
				s.result.StorageLimit = 0
				break
			}
			s.result.StorageLimit += t.Limits.Storage
		}
	})
}
