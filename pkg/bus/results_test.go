package bus

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

// resultsBus connects to a server that has the stream of results.
func resultsBus(t *testing.T) *Bus {
	t.Helper()
	b, err := Connect(t.Context(), Options{InProcess: bustest.Start(t).InProcess()})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(b.Close)
	_, err = b.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: StreamResults, Subjects: []string{"genesis.results.*.*"}, MaxMsgsPerSubject: 1, AllowDirect: true,
	})
	if err != nil {
		t.Fatalf("create stream: %v", err)
	}
	return b
}

func origin(sequence uint64, earlier ...uint64) Origin {
	return Origin{Stream: RequestStream("a"), Sequence: sequence, Subject: "genesis.requests.a.interactive.x", Time: time.Unix(1, 0).UTC(), Earlier: earlier, Digest: "d"}
}

func TestTheFirstWriterOfAResultWins(t *testing.T) {
	b := resultsBus(t)
	const ids, writers = 20, 10
	won := make([]string, ids)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range ids * writers {
		wg.Go(func() {
			id, worker := w%ids, fmt.Sprint("w", w)
			r := &Result{ID: fmt.Sprint("x", id), Agent: "a", Success: true, Output: []byte(`{}`), Meta: ResultMeta{Worker: worker}}
			stored, err := b.storeResult(t.Context(), r, origin(uint64(w+1)))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && won[id] == "":
				won[id] = worker
			case err == nil:
				t.Errorf("result %d was written by %s and by %s", id, won[id], worker)
			case !errors.Is(err, ErrExists) || stored.ID != r.ID || stored.Sequence == 0:
				t.Errorf("writer %s: got %+v, %v, want the stored result", worker, stored, err)
			}
		})
	}
	wg.Wait()
	for id, worker := range won {
		r, err := b.Result(t.Context(), "a", fmt.Sprint("x", id))
		if err != nil || r.Meta.Worker != worker {
			t.Errorf("result %d: got %s, %v, want that of %s", id, r.Payload, err, worker)
		}
	}
}

func TestOnlyAReplayReplacesAFailure(t *testing.T) {
	for _, tt := range []struct {
		name     string
		success  bool   // of what is stored, for message 5
		next     Origin // of what comes
		replaced bool
	}{
		{"the same message again", false, origin(5), false},
		{"another message with the id", false, origin(6), false},
		{"a replay of the failed message", false, origin(6, 5), true},
		{"a replay of its replay", false, origin(9, 3, 5), true},
		{"a replay of an earlier message only", false, origin(9, 3), false},
		{"a replay of a success", true, origin(6, 5), false},
		{"a replay from another stream", false, Origin{Stream: RequestStream("b"), Sequence: 6, Earlier: []uint64{5}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := resultsBus(t)
			first := &Result{ID: "x", Agent: "a", Success: tt.success, Meta: ResultMeta{Worker: "first"}}
			if _, err := b.storeResult(t.Context(), first, origin(5)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a crash after the write repeats it
				_, err := b.storeResult(t.Context(), &Result{ID: "x", Agent: "a", Success: true, Meta: ResultMeta{Worker: "next"}}, tt.next)
				if err != nil && !errors.Is(err, ErrExists) {
					t.Fatal(err)
				}
			}
			got, err := b.Result(t.Context(), "a", "x")
			if err != nil || (got.Meta.Worker == "next") != tt.replaced {
				t.Errorf("result: got %s, %v, want replaced=%v", got.Payload, err, tt.replaced)
			}
			if want := map[bool]Origin{true: tt.next, false: origin(5)}[tt.replaced]; !got.Origin.same(want) || fmt.Sprint(got.Origin.Earlier) != fmt.Sprint(want.Earlier) {
				t.Errorf("origin: got %+v, want %+v", got.Origin, want)
			}
		})
	}
}

func TestAnOriginSurvivesItsHeaders(t *testing.T) {
	want := origin(7, 1, 2, 3)
	h := make(map[string][]string)
	want.write(h)
	if got := readOrigin(h); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("origin: got %+v, want %+v", got, want)
	}
	if got := readOrigin(map[string][]string{HeaderOriginSequence: {"-1"}, HeaderOriginTime: {"x"}, HeaderOriginEarlier: {"1,,x, 5 ,18446744073709551616"}}); got.Sequence != 0 || !got.Time.IsZero() || fmt.Sprint(got.Earlier) != "[1 5]" {
		t.Errorf("origin of nonsense: got %+v", got)
	}
}

func TestAnUnreadableResultIsAnError(t *testing.T) {
	b := resultsBus(t)
	if _, err := b.js.Publish(t.Context(), ResultSubject("a", "x"), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Result(t.Context(), "a", "x"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("result: got %v, want an error", err)
	}
}
