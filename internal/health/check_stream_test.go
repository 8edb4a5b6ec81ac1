package health

import "testing"

func TestStream(t *testing.T) {
	results := func(how func(*Stream)) []func(*Snapshot) { return given(onStream("GENESIS_RESULTS", how)) }
	looks(t, "stream", clustered, DefaultThresholds(), []look{
		{
			"missing", "stream/GENESIS_REQUESTS_echo unhealthy it is missing; `genesis streams apply` makes it [echo]",
			given(onStream("GENESIS_REQUESTS_echo", func(st *Stream) { *st = Stream{Missing: true} })),
		},
		{"without results nobody answers", "stream/GENESIS_RESULTS unhealthy it has no leader among its 3 replicas [echo probe]", results(func(st *Stream) { st.Leader = "" })},
		{"unreadable", "stream/GENESIS_RESULTS unhealthy it cannot be read: timeout [echo probe]", results(func(st *Stream) { st.Problem = "timeout" })},
		{
			"a stream that nobody waits for", "stream/KV_genesis_flags unhealthy it is missing; `genesis streams apply` makes it",
			given(onStream("KV_genesis_flags", func(st *Stream) { st.Missing = true })),
		},
		{"a leader that is lost with its server is told of the server", "", given(away("n2"), onStream("GENESIS_RESULTS", func(st *Stream) { st.Leader = "" }))},
		{"while the broker is away nobody can tell", "", append(results(func(st *Stream) { st.Missing = true }), func(s *Snapshot) { s.Broker.Connected = false })},
	})
}

func TestReplicas(t *testing.T) {
	looks(t, "replicas", clustered, DefaultThresholds(), []look{
		{
			"a copy that is behind", "stream/GENESIS_RESULTS degraded 1 of its 3 replicas is away or behind: n3",
			given(onStream("GENESIS_RESULTS", func(st *Stream) { st.Offline = []string{"n3"} })),
		},
		{
			"two copies", "stream/GENESIS_RESULTS degraded 2 of its 3 replicas are away or behind: n2, n3",
			given(onStream("GENESIS_RESULTS", func(st *Stream) { st.Offline = []string{"n2", "n3"} })),
		},
		{"a server that is away is told once, of the broker", "", given(away("n2"))},
		{
			"beside it, what else is away is told", "stream/GENESIS_RESULTS degraded 1 of its 3 replicas is away or behind: n3",
			given(away("n2"), onStream("GENESIS_RESULTS", func(st *Stream) { st.Offline = append(st.Offline, "n3") })),
		},
		{"without a leader it matters no more", "", given(onStream("GENESIS_RESULTS", func(st *Stream) { st.Offline, st.Leader = []string{"n3"}, "" }))},
	})
}

func TestStreamFull(t *testing.T) {
	echo := func(how func(*Stream)) []func(*Snapshot) { return given(onStream("GENESIS_REQUESTS_echo", how)) }
	looks(t, "stream_full", well, DefaultThresholds(), []look{
		{"by messages", "stream/GENESIS_REQUESTS_echo degraded it is full to 80 %: 800 of 1000 messages (degraded from 80 %) [echo]", echo(func(st *Stream) { st.Messages = 800 })},
		{
			"by bytes, the tighter limit", "stream/GENESIS_REQUESTS_echo unhealthy it is full to 96 %: 96 of 100 bytes (unhealthy from 95 %) [echo]",
			echo(func(st *Stream) { st.Messages, st.Bytes, st.MaxBytes = 800, 96, 100 }),
		},
		{
			"a little less keeps it", "stream/GENESIS_REQUESTS_echo degraded? it is full to 65 %: 650 of 1000 messages (degraded from 80 % until below 80 % of it) [echo]",
			echo(func(st *Stream) { st.Messages = 650 }),
		},
		{"what drops its oldest is never full", "", echo(func(st *Stream) { st.Messages, st.DiscardOld = 1000, true })},
		{"what has no limit neither", "", echo(func(st *Stream) { st.Messages, st.MaxMessages = 1<<60, -1 })},
	})
	limits := DefaultThresholds()
	own := limits.Every
	own.StreamFull.Degraded = 0.1
	limits.Agents = map[string]Limits{"echo": own}
	looks(t, "stream_full", well, limits, []look{
		{"an agent's own threshold", "stream/GENESIS_REQUESTS_echo degraded it is full to 10 %: 100 of 1000 messages (degraded from 10 %) [echo]", echo(func(st *Stream) { st.Messages = 100 })},
	})
}
