package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"genesis/internal/program"
	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestTheProgramServesUntilItIsToldToStop(t *testing.T) {
	server := bustest.Start(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	log := &logBuffer{}
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"GENESIS_WORKER_NAME": "w7", "GENESIS_OPERATOR_TOKEN": "secret"}[name]
		return value, ok
	}
	var code int
	var wg sync.WaitGroup
	wg.Go(func() {
		code = command().Execute(ctx, []string{"--nats", server.URL(), "--http", "127.0.0.1:0", "--agents", "echo"}, env, io.Discard, log)
	})
	var ready struct {
		URL    string
		Agents []string
		Worker string
	}
	await(t, "the start-up line", func() bool {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, `"msg":"ready"`) {
				return json.Unmarshal([]byte(line), &ready) == nil
			}
		}
		return false
	})
	if len(ready.Agents) != 1 || ready.Agents[0] != "echo" || ready.Worker != "w7" || strings.HasSuffix(ready.URL, ":0") {
		t.Errorf("start-up line: got %+v", ready)
	}
	if code, _, _ := get(t, ready.URL+"/health/detailed", "Authorization: Bearer secret"); code != 200 {
		t.Errorf("details with the token: got %d", code)
	}
	b, err := bus.Connect(t.Context(), bus.Options{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := &system{Bus: b}
	if r := s.answerTo(t, "echo", s.ask(t, "echo", bus.Request{})); !r.Success || r.Meta.Worker != "w7" {
		t.Errorf("got %+v", r.Result)
	}
	cancel(errors.New("terminated"))
	wg.Wait()
	if code != program.ExitDone {
		t.Errorf("exit code: got %d, want 0 after a drain:\n%s", code, log)
	}
}

func TestAPortInUseIsAFailureThatSaysWhatToDo(t *testing.T) {
	server := bustest.Start(t)
	taken, err := program.Listen("127.0.0.1:0", "--http")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	log := &logBuffer{}
	code := command().Execute(t.Context(), []string{"--nats", server.URL(), "--http", taken.Addr().String()}, nil, io.Discard, log)
	if code != program.ExitFailed || !strings.Contains(log.String(), "worker: listen on "+taken.Addr().String()) || !strings.Contains(log.String(), "--http") {
		t.Errorf("got code %d, %s", code, log)
	}
}

func TestVersionsAreMadeFitForMicroServices(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"1.2.3", "1.2.3"},
		{"0.0.0-20260101000000-abcdef123456+dirty", "0.0.0-20260101000000-abcdef123456+dirty"},
		{"dev", "0.0.0-dev"},
		{"", "0.0.0-dev"},
		{"v1.2.3", "0.0.0-dev"},
		{"1.2.3-a..b", "0.0.0-dev"},
		{"01.2.3", "0.0.0-dev"},
	} {
		if got := semver(tt.in); got != tt.want {
			t.Errorf("version %q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}
