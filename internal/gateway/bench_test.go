package gateway

import (
	"net/http"
	"testing"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

// BenchmarkWait is one request from its HTTP call to its result, without a socket.
func BenchmarkWait(b *testing.B) {
	s := bustest.Start(b, bustest.NoListen())
	g := start(b, s, configured())
	work(b, connect(b, s, configured()), "echo", echo)
	run := func(b *testing.B, callers int) {
		b.Helper()
		b.ReportAllocs()
		b.SetParallelism(callers)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if w := g.submitDirect(b.Context(), 1); w.Code != http.StatusOK {
					b.Errorf("got %d %s", w.Code, w.Body)
				}
			}
		})
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.submitDirect(b.Context(), 1)
		}
	})
	b.Run("64", func(b *testing.B) { run(b, 32) })
}

// BenchmarkBus is the same without HTTP: what the gateway adds is the difference.
func BenchmarkBus(b *testing.B) {
	s := bustest.Start(b, bustest.NoListen())
	g := start(b, s, configured())
	work(b, connect(b, s, configured()), "echo", echo)
	b.ReportAllocs()
	for b.Loop() {
		id := bus.NewID()
		w := g.replies.Expect("echo", id)
		if _, err := g.bus.Publish(b.Context(), bus.Envelope{Agent: "echo", ID: id, FreshID: true, Request: bus.Request{Prompt: "p1"}, ReplyTo: g.replies.Subject(id)}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Result(b.Context(), true); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}
