package worker

import (
	"strings"
	"testing"

	"genesis/pkg/bus"
)

func TestOperatorsAreToldWhatEndedBadly(t *testing.T) {
	s := newSystem(t, "agents: {probe: {"+fast+", ladder: [{rung: primary, provider: probe}]}}\n")
	w := s.start(t, nil)
	for _, tt := range []struct {
		name, input string
		want        []string // in one line of the log, beside the id
	}{
		{"a panic, with its stack", `{"fail":"panic"}`, []string{"level=ERROR", "agent=probe", "reason=panic", "told to panic", "stack=", "probe.go"}},
		{"a permanent failure", `{"fail":"permanent"}`, []string{"level=INFO", `msg="a request is a dead letter"`, "reason=permanent", "attempt=1", "delivery=1", "lane=interactive"}},
		{"the last attempt", `{"fail":"retryable"}`, []string{"level=INFO", "reason=exhausted", "attempt=2"}},
		{"a retry, for who debugs", `{"fail":"retryable","fail_times":1}`, []string{"level=DEBUG", `msg="a request comes back"`, "reason=retryable", "attempt=1", "delay="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := s.ask(t, "probe", bus.Request{Input: []byte(tt.input)})
			s.answerTo(t, "probe", id)
			await(t, "the log of "+id, func() bool {
				for line := range strings.Lines(w.log.String()) {
					if strings.Contains(line, "request_id="+id) && containsAll(line, tt.want) {
						return true
					}
				}
				return false
			})
		})
	}
	id := s.ask(t, "probe", bus.Request{})
	s.answerTo(t, "probe", id)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if log := w.log.String(); strings.Contains(log, id) {
		t.Errorf("a success is logged:\n%s", log)
	}
}

func containsAll(line string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}
