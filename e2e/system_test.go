package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"genesis/pkg/bus/bustest"
)

// configuration is a system that is quick to tell, and whose agents meet everything that
// is measured: answers, retries, timeouts, fallbacks, refusals and dead letters.
const configuration = `
monitor: {interval: 200ms, verify_interval: 1s}
policies:
  careful: {retry: {max_attempts: 2, initial_delay: 1ms}, breaker: {failure_threshold: 1, recovery_timeout: 1h}}
  limited: {rate_limit: {per_second: 1, burst: 1}}
providers:
  gone: {kind: http, url: "http://127.0.0.1:1/", policy: careful}
  seldom: {kind: echo, policy: limited}
agents:
  echo: {slots: 8, ack_wait: 1s, max_pending: 100000, ladder: [{rung: primary, provider: echo}]}
  probe:
    slots: 2
    delivery: {max_attempts: 2, initial_delay: 10ms, jitter: false}
    ladder: [{rung: primary, provider: probe}]
  quotes: {ladder: [{rung: primary, provider: gone}, {rung: static, text: "no quotes"}]}
  limited: {ladder: [{rung: primary, provider: seldom}]}
`

// A system is a broker and the programs, each in a process of its own but the broker.
type system struct {
	*caller
	broker   *bustest.Server
	config   string
	gateway  *process
	workers  []*process
	monitors []*process
}

// newSystem starts a gateway, two workers and two monitors.
func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{caller: newCaller(t), broker: bustest.Start(t), config: filepath.Join(t.TempDir(), "genesis.yaml")}
	write(t, s.config, configuration)
	s.gateway = s.program("gateway", nil, "127.0.0.1:0")
	for _, name := range []string{"one", "two"} {
		s.monitors = append(s.monitors, s.program("monitor", nil, "127.0.0.1:0"))
		s.workers = append(s.workers, s.program("worker", []string{"GENESIS_WORKER_NAME=" + name}, "127.0.0.1:0"))
	}
	return s
}

// program starts one of our programs and waits until it is ready.
func (s *system) program(name string, env []string, address string) *process {
	s.t.Helper()
	p := start(s.t, env, tool(s.t, name), "--config", s.config, "--nats", s.broker.URL(), "--http", address).
		listens(`"url":"http://([^"]+)"`)
	await(s.t, "the "+name+" is ready", func() error {
		_, err := s.get(p.url + "/health/ready")
		return err
	})
	return p
}

// killWorkers is kill -9 of all of them.
func (s *system) killWorkers() {
	for _, w := range s.workers {
		w.kill()
	}
}

// startWorkers starts the workers again where they were, under their names.
func (s *system) startWorkers() {
	s.t.Helper()
	for i, w := range s.workers {
		s.workers[i] = s.program("worker", w.env, strings.TrimPrefix(w.url, "http://"))
	}
}

// send sends a request, and says what was wrong if it was not accepted.
func (s *system) send(agent, body string) error {
	_, err := s.call(http.MethodPost, s.gateway.url+"/v1/agents/"+agent+"/requests", body, http.StatusAccepted)
	return err
}

// mustSend sends a request some times.
func (s *system) mustSend(times int, agent, body string) {
	s.t.Helper()
	for range times {
		if err := s.send(agent, body); err != nil {
			s.t.Fatal(err)
		}
	}
}

// underLoad sends a few hundred requests a second to echo for as long as do takes. Each
// must be accepted.
func (s *system) underLoad(do func(sent *atomic.Int64)) {
	s.t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	defer close(done)
	var sent atomic.Int64
	wg.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := s.send("echo", `{"prompt":"hi"}`); err != nil {
				s.t.Errorf("under load: %v", err)
				return
			}
			sent.Add(1)
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	})
	do(&sent)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
