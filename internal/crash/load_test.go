//go:build faults

package crash

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
)

// load publishes requests from several callers until it is stopped, and remembers
// which were accepted.
type load struct {
	s        *system
	stop     context.CancelFunc
	wg       sync.WaitGroup
	mu       sync.Mutex
	accepted []string
	refused  int
	wake     chan struct{}
}

func (s *system) load(callers int) *load {
	ctx, cancel := context.WithCancel(s.t.Context())
	l := &load{s: s, stop: cancel, wake: make(chan struct{}, 1)}
	for range callers {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				if !l.publish(ctx) {
					<-time.After(5 * time.Millisecond) // as a client would: not again at once
				}
			}
		})
	}
	s.t.Cleanup(func() { cancel(); l.wg.Wait() })
	return l
}

// publish sends one request and reports whether it was accepted.
func (l *load) publish(ctx context.Context) bool {
	try, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r, err := l.s.bus.Publish(try, bus.Envelope{Agent: "echo", Request: bus.Request{Prompt: "hi"}})
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.accepted = append(l.accepted, r.ID)
	case errors.Is(err, bus.ErrUnavailable), errors.Is(err, bus.ErrFull):
		l.refused++
	default:
		l.s.t.Errorf("publish: %v", err)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return err == nil
}

// until waits until n more requests were accepted.
func (l *load) until(n int) {
	l.s.t.Helper()
	limit := time.After(patience)
	start := l.count()
	for l.count() < start+n {
		select {
		case <-l.wake:
		case <-limit:
			l.s.t.Fatalf("%d requests were accepted, want %d more than %d", l.count(), n, start)
		}
	}
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// end stops the load and checks that every accepted request was answered.
func (l *load) end() {
	l.s.t.Helper()
	l.stop()
	l.wg.Wait()
	for _, id := range l.accepted {
		if r := l.s.result("echo", id); !r.Success {
			l.s.t.Errorf("request %s: got %+v, want a success", id, r.Result)
		}
	}
	l.s.t.Logf("%d requests accepted and answered, %d refused", len(l.accepted), l.refused)
	l.s.holds(-1)
}

func TestTheBrokerKilledUnderLoad(t *testing.T) {
	s := newSystem(t)
	s.startWorker("")
	l := s.load(8)
	for range 3 {
		l.until(300)
		s.broker.kill()
		s.startBroker()
	}
	l.until(300)
	l.end()
}

func TestAWorkerTerminatedUnderLoad(t *testing.T) {
	s := newSystem(t)
	l := s.load(8)
	w := s.startWorker("")
	for range 3 {
		l.until(300)
		next := s.startWorker("")
		next.awaitLine("http")
		w.terminate()
		w = next
	}
	l.until(300)
	l.end()
	w.terminate()
	s.holds(l.count())
}

func TestRandomKillsLoseNothing(t *testing.T) {
	rnd := random(t)
	s := newSystem(t)
	workers := []*process{s.startWorker(""), s.startWorker("")}
	l := s.load(8)
	for range 8 {
		l.until(50 + rnd.IntN(400))
		switch victim := rnd.IntN(3); victim {
		case 2:
			s.broker.kill()
			s.startBroker()
		default:
			workers[victim].kill()
			workers[victim] = s.startWorker("")
		}
	}
	l.until(300)
	l.end()
}
