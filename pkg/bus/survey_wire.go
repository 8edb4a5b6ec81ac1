package bus

import "time"

// The answers of the broker's API, as far as a survey reads them.

type streamPage struct {
	apiAnswer
	Total   int64             `json:"total"`
	Limit   int64             `json:"limit"`
	Streams []streamState     `json:"streams"`
	Missing []string          `json:"missing"`
	Offline map[string]string `json:"offline"`
}

func (p *streamPage) scan(t *jsonText) {
	t.fields(func(key []byte) {
		switch string(key) {
		case "error":
			t.decode(&p.Error)
		case "total":
			p.Total = t.number()
		case "limit":
			p.Limit = t.number()
		case "streams":
			p.Streams = nil
			t.items(func() {
				p.Streams = append(p.Streams, streamState{})
				p.Streams[len(p.Streams)-1].scan(t)
			})
		case "missing":
			t.decode(&p.Missing)
		case "offline":
			t.decode(&p.Offline)
		default:
			t.skip()
		}
	})
}

type streamState struct {
	Config struct {
		Name        string `json:"name"`
		MaxMessages int64  `json:"max_msgs"`
		MaxBytes    int64  `json:"max_bytes"`
		Discard     string `json:"discard"`
		Replicas    int64  `json:"num_replicas"`
	} `json:"config"`
	State struct {
		Messages      uint64    `json:"messages"`
		Bytes         uint64    `json:"bytes"`
		FirstSequence uint64    `json:"first_seq"`
		LastSequence  uint64    `json:"last_seq"`
		FirstTime     time.Time `json:"first_ts"`
	} `json:"state"`
	Cluster *clusterState `json:"cluster"`
	Created time.Time     `json:"created"`
	At      time.Time     `json:"ts"`
}

type clusterState struct {
	Leader   string `json:"leader"`
	Replicas []struct {
		Name    string        `json:"name"`
		Current bool          `json:"current"`
		Offline bool          `json:"offline"`
		Silent  time.Duration `json:"active"`
		Behind  uint64        `json:"lag"`
	} `json:"replicas"`
}

func (s *streamState) scan(t *jsonText) {
	t.fields(func(key []byte) {
		switch string(key) {
		case "config":
			t.fields(func(key []byte) { s.scanConfig(t, key) })
		case "state":
			t.fields(func(key []byte) { s.scanState(t, key) })
		case "cluster":
			t.decode(&s.Cluster)
		case "created":
			s.Created = t.time()
		case "ts":
			s.At = t.time()
		default:
			t.skip()
		}
	})
}

func (s *streamState) scanConfig(t *jsonText, key []byte) {
	switch string(key) {
	case "name":
		s.Config.Name = t.text()
	case "max_msgs":
		s.Config.MaxMessages = t.number()
	case "max_bytes":
		s.Config.MaxBytes = t.number()
	case "discard":
		s.Config.Discard = t.text()
	case "num_replicas":
		s.Config.Replicas = t.number()
	default:
		t.skip()
	}
}

func (s *streamState) scanState(t *jsonText, key []byte) {
	switch string(key) {
	case "messages":
		s.State.Messages = t.count()
	case "bytes":
		s.State.Bytes = t.count()
	case "first_seq":
		s.State.FirstSequence = t.count()
	case "last_seq":
		s.State.LastSequence = t.count()
	case "first_ts":
		s.State.FirstTime = t.time()
	default:
		t.skip()
	}
}

type consumerPage struct {
	apiAnswer
	Consumers []consumerState   `json:"consumers"`
	Missing   []string          `json:"missing"`
	Offline   map[string]string `json:"offline"`
}

func (p *consumerPage) scan(t *jsonText) {
	t.fields(func(key []byte) {
		switch string(key) {
		case "error":
			t.decode(&p.Error)
		case "consumers":
			p.Consumers = nil
			t.items(func() {
				p.Consumers = append(p.Consumers, consumerState{})
				p.Consumers[len(p.Consumers)-1].scan(t)
			})
		case "missing":
			t.decode(&p.Missing)
		case "offline":
			t.decode(&p.Offline)
		default:
			t.skip()
		}
	})
}

type consumerState struct {
	Name        string `json:"name"`
	Delivered   place  `json:"delivered"`
	AckFloor    place  `json:"ack_floor"`
	InFlight    uint64 `json:"num_ack_pending"`
	Redelivered uint64 `json:"num_redelivered"`
	Pending     uint64 `json:"num_pending"`
	Paused      bool   `json:"paused"`
}

type place struct {
	Stream uint64 `json:"stream_seq"`
}

func (c *consumerState) scan(t *jsonText) {
	t.fields(func(key []byte) {
		switch string(key) {
		case "name":
			c.Name = t.text()
		case "delivered":
			c.Delivered.scan(t)
		case "ack_floor":
			c.AckFloor.scan(t)
		case "num_ack_pending":
			c.InFlight = t.count()
		case "num_redelivered":
			c.Redelivered = t.count()
		case "num_pending":
			c.Pending = t.count()
		case "paused":
			c.Paused = t.truth()
		default:
			t.skip()
		}
	})
}

func (p *place) scan(t *jsonText) {
	t.fields(func(key []byte) {
		if string(key) == "stream_seq" {
			p.Stream = t.count()
		} else {
			t.skip()
		}
	})
}

type accountState struct {
	apiAnswer
	usage
	Tiers map[string]usage `json:"tiers"`
}

type usage struct {
	Storage int64 `json:"storage"`
	Limits  struct {
		Storage int64 `json:"max_storage"`
	} `json:"limits"`
}

// scan leaves the one small text to encoding/json.
func (a *accountState) scan(t *jsonText) { t.fail() }
