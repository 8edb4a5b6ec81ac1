package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }

func TestHelloAnswersWhatAnyNATSClientPublishes(t *testing.T) {
	s := bustest.Start(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	var ran error
	wg.Go(func() { ran = run(ctx, s.URL()) })

	b, err := bus.Connect(t.Context(), bus.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var r bus.StoredResult
	published := false
	poll(t, func() bool {
		if !published { // until hello has made its queue there is nobody to take it
			_, err := b.JetStream().Publish(t.Context(), "genesis.requests.hello", []byte(`{"id":"1","prompt":"Ada"}`))
			published = err == nil
		}
		r, err = b.Result(t.Context(), "hello", "1")
		return err == nil
	})
	if !r.Success || string(r.Output) != `{"text":"Hello, Ada!"}` || r.Meta.Rung != "primary" {
		t.Errorf("got %s %+v, want Hello, Ada!", r.Output, r.Result)
	}
	stop()
	wg.Wait()
	if ran != nil {
		t.Errorf("run: got %v, want nil once it was told to stop", ran)
	}
}

func TestHelloSaysWhatIsWrong(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("interrupted"))
	if err := run(ctx, "nats://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("run without a broker: got %v", err)
	}
}

func TestHelloIsShort(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(source), "\n"); got >= 40 {
		t.Errorf("main.go: got %d lines, want under 40: what is missing belongs into a package", got)
	}
}

func poll(t *testing.T, f func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("no result within 20 s")
		}
	}
}
