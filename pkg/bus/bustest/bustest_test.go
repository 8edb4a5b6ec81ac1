package bustest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// makeStream creates a stream T with one durable consumer C and n messages.
func makeStream(t *testing.T, js jetstream.JetStream, n int, ackWait time.Duration) jetstream.Consumer {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "T", Subjects: []string{"t.*"}}); err != nil {
		t.Fatalf("create stream: %v", err)
	}
	c, err := js.CreateConsumer(t.Context(), "T", jetstream.ConsumerConfig{
		Durable: "C", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
	})
	if err != nil {
		t.Fatalf("create consumer: %v", err)
	}
	for range n {
		if _, err := js.Publish(t.Context(), "t.a", []byte("hello")); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	return c
}

func messages(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), "T")
	if err != nil {
		t.Fatalf("stream T: %v", err)
	}
	return s.CachedInfo().State.Msgs
}

func TestAServerKeepsItsDataPortAndClientsOverARestart(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []bustest.Option
	}{
		{"on a free port", nil},
		{"without a socket", []bustest.Option{bustest.NoListen()}},
		{"writing to the disk before it acknowledges", []bustest.Option{bustest.SyncAlways(), bustest.Log()}},
		{"writing to the disk every 50 ms", []bustest.Option{bustest.SyncInterval(50 * time.Millisecond)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := bustest.Start(t, tt.opts...)
			url := s.URL()
			js := s.JetStream(t)
			makeStream(t, js, 3, time.Second)

			reconnected := make(chan struct{})
			js.Conn().SetReconnectHandler(func(*nats.Conn) { close(reconnected) })
			s.Restart(t)
			select {
			case <-reconnected:
			case <-time.After(10 * time.Second):
				t.Fatal("the client did not reconnect within 10 s")
			}
			if got := s.URL(); got != url {
				t.Errorf("URL after the restart: got %q, want %q", got, url)
			}
			if got := messages(t, js); got != 3 {
				t.Errorf("messages after the restart: got %d, want 3", got)
			}
		})
	}
}

func TestADirectoryOutlivesItsServer(t *testing.T) {
	dir := t.TempDir()
	first := bustest.Start(t, bustest.Dir(dir))
	makeStream(t, first.JetStream(t), 2, time.Second)
	first.Stop()
	first.Stop() // twice is fine

	second := bustest.Start(t, bustest.Dir(dir))
	if got := messages(t, second.JetStream(t)); got != 2 {
		t.Errorf("messages seen by the second server: got %d, want 2", got)
	}
	if got := second.Dir(); got != dir {
		t.Errorf("Dir: got %q, want %q", got, dir)
	}
}

func TestAGivenPortIsUsed(t *testing.T) {
	first := bustest.Start(t)
	url := first.URL()
	first.Stop()
	nc, err := nats.Connect(url)
	if err == nil {
		nc.Close()
		t.Fatalf("connect to %s after Stop: got a connection, want an error", url)
	}
	var port int
	for _, r := range url[len("nats://127.0.0.1:"):] {
		port = port*10 + int(r-'0')
	}
	if got := bustest.Start(t, bustest.Port(port)).URL(); got != url {
		t.Errorf("URL: got %q, want %q", got, url)
	}
}

func TestMaxPayloadIsTheServersOwn(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []bustest.Option
		want int64
	}{
		{"1 MiB when not given", nil, 1 << 20},
		{"what was given", []bustest.Option{bustest.MaxPayload(4096)}, 4096},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := bustest.Start(t, tt.opts...).Connect(t).MaxPayload(); got != tt.want {
				t.Errorf("max payload: got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAServerThatIsDownTakesNoConnections(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	s.Down(t)
	if nc, err := nats.Connect("", s.ClientOption()); err == nil {
		nc.Close()
		t.Fatal("connect in process while down: got a connection, want an error")
	}
	s.Restart(t)
	if nc, err := nats.Connect("", nats.InProcessServer(s.InProcess())); err != nil {
		t.Errorf("connect in process after Restart: %v", err)
	} else {
		nc.Close()
	}
}

func TestThirtySecondsOfAckWaitPassInVirtualTime(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Start(t, bustest.NoListen())
		c := makeStream(t, s.JetStream(t), 1, 30*time.Second)
		take := func() (delivery uint64) {
			t.Helper()
			batch, err := c.Fetch(1, jetstream.FetchMaxWait(time.Minute))
			if err != nil {
				t.Fatalf("fetch: %v", err)
			}
			for m := range batch.Messages() {
				meta, err := m.Metadata()
				if err != nil {
					t.Fatalf("metadata: %v", err)
				}
				delivery = meta.NumDelivered
			}
			return delivery
		}
		if got := take(); got != 1 {
			t.Fatalf("first delivery: got %d, want 1", got)
		}
		taken := time.Now()
		if got := take(); got != 2 {
			t.Fatalf("delivery of the message that was not acked: got %d, want 2", got)
		}
		if got := time.Since(taken); got < 29*time.Second || got > 31*time.Second {
			t.Errorf("virtual time until the redelivery: got %s, want 30s", got)
		}
	})
	if got := time.Since(began); got > 10*time.Second {
		t.Errorf("real time: got %s, want far less than 30s", got)
	}
}

func TestARestartPassesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Start(t, bustest.NoListen())
		js := s.JetStream(t)
		makeStream(t, js, 1, time.Second)
		s.Down(t)
		time.Sleep(time.Hour) // the client tries again all the time
		s.Restart(t)
		for range 100 { // until the client is back
			if _, err := js.Publish(t.Context(), "t.a", nil); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := messages(t, js); got < 2 {
			t.Errorf("messages after the restart: got %d, want 2", got)
		}
	})
	// A timer that the client took along from the bubble would end the process.
	nc := bustest.Start(t).Connect(t)
	for range 100 {
		if err := nc.Flush(); err != nil {
			t.Fatalf("flush: %v", err)
		}
	}
}

func TestStreamJSONIsReadAsTheServerDoes(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		ok       bool
	}{
		{"a stream's configuration", `{"name":"T","subjects":["t"],"retention":"workqueue","max_age":1000}`, true},
		{"an unknown key", `{"name":"T","max_msg":5}`, false},
		{"a duration in words", `{"name":"T","max_age":"1h"}`, false},
		{"two objects", `{"name":"T"}{"name":"U"}`, false},
		{"nothing", ``, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := bustest.CheckStream([]byte(tt.in)); (err == nil) != tt.ok {
				t.Errorf("CheckStream(%s): got %v, want ok=%v", tt.in, err, tt.ok)
			}
		})
	}
}
