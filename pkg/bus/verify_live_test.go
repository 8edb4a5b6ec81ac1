package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"genesis/pkg/bus"
	"genesis/pkg/bus/bustest"
	"genesis/pkg/resilience"
)

// While everything happens at once (successes, retries, dead letters, duplicates,
// cancellations, replays), verify never reports a loss.
func TestVerifyReportsNoFalseLossOnALiveSystem(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	run(t, b, bus.PoolOptions{
		Agent: "a", Slots: 8, Logger: quiet(), Backoff: resilience.Backoff{InitialDelay: time.Millisecond},
		Handler: func(ctx context.Context, j *bus.Job) (bus.Answer, error) {
			if j.Replays > 0 {
				return answer(ctx, j)
			}
			return flaky(ctx, j)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { keepPublishing(ctx, b, fmt.Sprint("p", i), 2*time.Millisecond) })
	}
	wg.Go(func() { // short forms, half of them with an id that is taken
		for i := 0; ctx.Err() == nil; i++ {
			if err := b.Conn().Publish("genesis.requests.a", fmt.Appendf(nil, `{"id":"s%d","prompt":"hi"}`, i/2)); err != nil {
				t.Errorf("publish: %v", err)
			}
			spend(ctx, time.Millisecond)
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			r, err := b.Publish(ctx, bus.Envelope{Agent: "a", Lane: bus.LaneBatch, Request: bus.Request{Prompt: "hi"}})
			if err == nil {
				err = b.Cancel(ctx, "a", r.ID, "me")
			}
			if err != nil && !errors.Is(err, bus.ErrExists) && ctx.Err() == nil {
				t.Errorf("cancel: %v", err)
			}
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			for d, err := range b.DeadLetters(ctx, bus.DeadLetterFilter{}) {
				if err == nil {
					err = b.Replay(ctx, d)
				}
				if err != nil && !errors.Is(err, bus.ErrNotFound) && !errors.Is(err, bus.ErrUnavailable) && ctx.Err() == nil {
					t.Errorf("replay %s: %v", d.ID, err)
				}
			}
			spend(ctx, 5*time.Millisecond)
		}
	})
	var last bus.VerifyReport
	for rounds := 0; rounds < 8 || last.Results < 200; rounds++ {
		if last = mustHold(t, b)[0]; rounds > 500 {
			t.Fatalf("the system stands still: %+v", last)
		}
	}
	cancel()
	wg.Wait()
	t.Logf("the last report: %+v", last)
	if last.Duplicates == 0 || last.From != 1 {
		t.Errorf("verify: got %+v, want some duplicates, from the start", last)
	}
	emptied(t, b, "a")
	if got := mustHold(t, b)[0]; got.To == 0 || got.Pending != 0 {
		t.Errorf("verify at rest: got %+v", got)
	}
}

func TestVerifyJudgesOnlyWhatItCanKnow(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a", "idle")
		forgetResultsAfter(t, b, time.Hour)
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		flood(t, b, bus.LaneInteractive, 10)
		p.settlements(t, 10)
		p.stop()
		spend(t.Context(), 2*time.Hour) // the results have expired
		if got := mustHold(t, b)[0]; got.Results != 0 || got.To != 10 || got.From != 10 {
			t.Errorf("verify of expired results: got %+v, want none judged", got)
		}
		p = run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		flood(t, b, bus.LaneBatch, 5)
		p.settlements(t, 5)
		if got := mustHold(t, b)[0]; got.Results != 5 || got.From != 11 || got.To != 15 {
			t.Errorf("verify of fresh results: got %+v, want 11 to 15", got)
		}
		p.stop()
		flood(t, b, bus.LaneInteractive, 5) // 16 to 20
		stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.DeleteMsg(t.Context(), 18); err != nil {
			t.Fatal(err)
		}
		if got := verify(t, b, "a")[0]; got.MissingCount != 1 || !slices.Equal(got.Missing, []uint64{18}) {
			t.Errorf("verify of a lost message: got %+v, want 18 missing", got)
		}
	})
}

func TestVerifyNamesAHundredAndCountsAll(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	flood(t, b, bus.LaneInteractive, 700)
	stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(100); seq < 500; seq += 2 {
		if err := stream.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	var steps []uint64
	got, err := b.Verify(t.Context(), bus.VerifyOptions{Agents: []string{"a"}, Progress: func(done, total uint64) {
		if done > total || len(steps) > 0 && done < steps[len(steps)-1] {
			t.Errorf("progress: got %d of %d after %v", done, total, steps[len(steps)-1:])
		}
		steps = append(steps, done)
	}})
	if err != nil || got[0].MissingCount != 200 || len(got[0].Missing) != 100 || got[0].Missing[99] != 298 || len(steps) == 0 {
		t.Errorf("verify: got %+v, %v, want 200 missing, and 100 named", got, err)
	}
	if _, err := b.Verify(t.Context(), bus.VerifyOptions{Agents: []string{"nobody"}}); !errors.Is(err, bus.ErrUnknownAgent) {
		t.Errorf("verify of nobody: got %v, want unknown agent", err)
	}
}

// The results of a stream that was there before must not hide a loss in the one that
// has its name now.
func TestVerifyIsNotFooledByAStreamThatWasMadeAnew(t *testing.T) {
	virtual(t, func(t *testing.T, s *bustest.Server) {
		b := connect(t, s, "a")
		p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
		flood(t, b, bus.LaneInteractive, 10)
		p.settlements(t, 10)
		p.stop()
		stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.JetStream().DeleteStream(t.Context(), bus.RequestStream("a")); err != nil {
			t.Fatal(err)
		}
		spend(t.Context(), time.Minute)
		create(t, b, stream.CachedInfo().Config)
		flood(t, b, bus.LaneBatch, 10)
		if stream, err = b.JetStream().Stream(t.Context(), bus.RequestStream("a")); err != nil {
			t.Fatal(err)
		}
		if err := stream.DeleteMsg(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		if got := verify(t, b, "a")[0]; got.MissingCount != 1 || got.Pending != 9 {
			t.Errorf("verify: got %+v, want 4 missing", got)
		}
	})
}

// forgetResultsAfter makes results expire sooner than after a day.
func forgetResultsAfter(t testing.TB, b *bus.Bus, age time.Duration) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.JetStream().DeleteStream(t.Context(), bus.StreamResults); err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxAge = age
	create(t, b, cfg)
}

// Whatever the size of the windows, the report is the same.
func TestVerifyReadsInWindowsOfAnySize(t *testing.T) {
	b := connect(t, bustest.Start(t), "a")
	p := run(t, b, bus.PoolOptions{Agent: "a", Handler: answer})
	flood(t, b, bus.LaneInteractive, 70)
	p.settlements(t, 70)
	p.stop()
	settled(t, b)
	flood(t, b, bus.LaneBatch, 60)
	stream, err := b.JetStream().Stream(t.Context(), bus.RequestStream("a"))
	if err != nil {
		t.Fatal(err)
	}
	results, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	missing := []uint64{1, 63, 64, 65, 70, 71, 128, 129, 130}
	for _, seq := range missing {
		if seq <= 70 { // of its result
			for place := uint64(1); place <= 70; place++ {
				if msg, err := results.GetMsg(t.Context(), place); err == nil && msg.Header.Get("Genesis-Origin-Sequence") == fmt.Sprint(seq) {
					err = results.DeleteMsg(t.Context(), place)
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		} else if err := stream.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []uint64{1, 7, 63, 64, 65, 129, 130, 131, 1 << 20} {
		got, err := b.VerifyWindow(t.Context(), "a", size)
		slices.Sort(got.Missing)
		if err != nil || got.MissingCount != uint64(len(missing)) || !slices.Equal(got.Missing, missing) || got.From != 1 || got.To != 130 {
			t.Errorf("windows of %d: got %+v, %v, want %v missing", size, got, err, missing)
		}
		if got.Results != 65 || got.Pending != 56 {
			t.Errorf("windows of %d: got %d results and %d pending, want 65 and 56", size, got.Results, got.Pending)
		}
	}
}
