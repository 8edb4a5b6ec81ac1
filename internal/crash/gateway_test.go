//go:build faults

package crash

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func (s *system) startGateway(fault string) (*process, string) {
	s.t.Helper()
	p := start(s.t, "gateway", []string{"GENESIS_FAULT=" + fault}, "--config", s.config, "--nats", s.url(), "--http", "127.0.0.1:0")
	line := p.awaitLine("http://127.0.0.1:")
	return p, regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
}

// reply is what came back of an HTTP request.
type reply struct {
	code       int
	retryAfter string
	body       string
}

func (s *system) post(url, key string) (reply, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, url+"/v1/agents/echo/requests", strings.NewReader(`{"prompt":"hi"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "wait=20")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Retry-After"), string(body)}, err
}

func TestAGatewayKilledBetweenPubAckAndItsAnswer(t *testing.T) {
	s := newSystem(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	dying, url := s.startGateway("published")
	if got, err := s.post(url, "order-1"); err == nil {
		t.Fatalf("got %+v, want a broken connection", got)
	}
	dying.awaitKilled()

	_, url = s.startGateway("")
	s.startWorker("")
	got, err := s.post(url, "order-1")
	if err != nil || got.code != http.StatusOK || !strings.Contains(got.body, `"success":true`) {
		t.Fatalf("the repeated request: got %+v %v, want its result", got, err)
	}
	s.holds(1)
	if info := s.stream("GENESIS_REQUESTS_echo"); info.State.LastSeq != 1 {
		t.Errorf("%d messages were queued, want one for both tries", info.State.LastSeq)
	}
}

func TestAnOutageOfTenSecondsIsRefusedAndRecoveredFrom(t *testing.T) {
	s := newSystem(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	_, url := s.startGateway("")
	w := s.startWorker("")
	l := s.load(4)
	l.until(200)
	if got, err := s.post(url, ""); err != nil || got.code != http.StatusOK {
		t.Fatalf("before the outage: got %+v %v", got, err)
	}
	s.broker.kill()
	began := time.Now()
	refused := 0
	for tick := time.NewTicker(500 * time.Millisecond); time.Since(began) < 10*time.Second; <-tick.C {
		got, err := s.post(url, "")
		if err != nil || got.code != http.StatusServiceUnavailable || got.retryAfter == "" {
			t.Fatalf("during the outage: got %+v %v, want 503 with Retry-After", got, err)
		}
		refused++
	}
	s.startBroker()
	limit := time.After(patience)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		got, err := s.post(url, "")
		if err == nil && got.code == http.StatusOK {
			break
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the gateway does not recover: %+v %v", got, err)
		}
	}
	t.Logf("%d requests were refused during the outage", refused)
	l.until(200)
	l.end()
	w.terminate()
}
