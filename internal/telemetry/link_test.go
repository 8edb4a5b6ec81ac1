package telemetry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
)

func TestALinkKnowsSinceWhenTheBrokerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Start(t, bustest.NoListen())
		b, err := bus.Connect(t.Context(), bus.Options{InProcess: s.InProcess()})
		if err != nil {
			t.Fatal(err)
		}
		l := NewLink(b)
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { return l.Run(ctx) })
		defer func() {
			cancel()
			if err := g.Wait(); err != nil {
				t.Errorf("run: got %v, want nil", err)
			}
			b.Close()
		}()
		begun := time.Now()
		time.Sleep(time.Minute)
		if h := l.Health(); !h.Healthy || h.URL == "" || h.Server != "bustest" || h.Reconnects != 0 || h.Since.After(begun) {
			t.Errorf("connected: got %+v, want since the start %v", h, begun)
		}
		lost := time.Now()
		s.Down(t)
		time.Sleep(time.Minute)
		if h := l.Health(); h.Healthy || h.URL != "" || h.Since.Before(lost) || h.Since.After(lost.Add(10*time.Second)) {
			t.Errorf("a minute after the loss: got %+v, want since %v", h, lost)
		}
		back := time.Now()
		s.Restart(t)
		time.Sleep(time.Minute)
		if h := l.Health(); !h.Healthy || h.Server != "bustest" || h.Reconnects != 1 || h.Since.Before(back) || h.Since.After(back.Add(30*time.Second)) {
			t.Errorf("a minute after the return: got %+v, want since %v", h, back)
		}
	})
}
