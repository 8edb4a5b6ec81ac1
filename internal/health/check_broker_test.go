package health

import "testing"

func TestBroker(t *testing.T) {
	looks(t, "broker", clustered, DefaultThresholds(), []look{
		{
			"away since when, and for whom", "dependency/nats unhealthy! it cannot be reached since 2026-11-23 11:00:00 UTC [echo probe]",
			given(func(s *Snapshot) { s.Broker.Connected = false }),
		},
		{
			"what was configured is affected, though nothing can be seen", "dependency/nats unhealthy! it cannot be reached since 2026-11-23 11:00:00 UTC [echo probe]",
			given(func(s *Snapshot) { s.Broker.Connected, s.Agents, s.Streams = false, nil, nil }),
		},
		{
			"of no use though connected", "dependency/nats unhealthy JetStream does not answer [echo probe]",
			given(func(s *Snapshot) { s.Broker.Problem = "JetStream does not answer" }),
		},
		{
			"no stream has a leader", "dependency/nats unhealthy none of its 3 streams has a leader [echo probe]",
			given(func(s *Snapshot) {
				for name := range s.Streams {
					change(s.Streams, name, func(st *Stream) { st.Leader = "" })
				}
			}),
		},
		{"one stream without a leader is its own trouble", "", given(onStream("GENESIS_RESULTS", func(st *Stream) { st.Leader = "" }))},
	})
}

// away takes a server from all streams.
func away(server string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Broker.Offline = append(s.Broker.Offline, server)
		for name := range s.Streams {
			change(s.Streams, name, func(st *Stream) { st.Offline = append(st.Offline, server) })
		}
	}
}

func TestServers(t *testing.T) {
	looks(t, "servers", clustered, DefaultThresholds(), []look{
		{"one is away", "dependency/nats degraded server n2 of 3 is away or behind", given(away("n2"))},
		{"two are", "dependency/nats degraded 2 of 3 servers are away or behind: n2, n3", given(away("n3"), away("n2"))},
		{"one copy of one stream is not a server", "", given(onStream("GENESIS_RESULTS", func(st *Stream) { st.Offline = []string{"n2"} }))},
		{"without a broker there are none", "", given(away("n2"), func(s *Snapshot) { s.Broker.Connected = false })},
	})
}

func TestLeaders(t *testing.T) {
	headless := onStream("GENESIS_REQUESTS_echo", func(st *Stream) { st.Leader, st.Problem = "", "no server leads it" })
	looks(t, "leaders", clustered, DefaultThresholds(), []look{
		{"a server that is away takes nothing along", "", given(away("n2"))},
		{"or a leader", "dependency/nats unhealthy 1 stream has no leader: GENESIS_REQUESTS_echo [echo]", given(away("n2"), headless)},
		{
			"or queues", "dependency/nats unhealthy 1 stream has no leader: GENESIS_REQUESTS_echo; out of use are the queues of probe [echo probe]",
			given(away("n2"), headless, onEcho(func(a *Agent) { a.Problem = "no leader" }), func(s *Snapshot) {
				change(s.Agents, "probe", func(a *Agent) { a.Problem = "no server leads its consumer" })
			}),
		},
		{"what no server explains is told of itself", "", given(headless)},
	})
}

func TestStorage(t *testing.T) {
	used := func(bytes int64) []func(*Snapshot) {
		return given(func(s *Snapshot) { s.Broker.Storage, s.Broker.StorageLimit = bytes, 1000 })
	}
	looks(t, "storage", well, DefaultThresholds(), []look{
		{"half of it is fine", "", used(500)},
		{"nearly full", "dependency/nats degraded 80 % of its storage is used (degraded from 80 %)", used(800)},
		{"full", "dependency/nats unhealthy 95 % of its storage is used (unhealthy from 95 %)", used(950)},
		{"without a limit it never is", "", given(func(s *Snapshot) { s.Broker.Storage = 1 << 60 })},
	})
}
