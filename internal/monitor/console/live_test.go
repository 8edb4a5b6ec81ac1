package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A bell is what changes: a View, and who waits to hear that it did.
type bell struct {
	mu      sync.Mutex
	view    View
	waiting chan struct{}
	asked   int
}

func (b *bell) options() Options {
	b.waiting = make(chan struct{})
	return Options{
		View: func() View {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.asked++
			return b.view
		},
		Changed: func() <-chan struct{} {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.waiting
		},
	}
}

func (b *bell) change(f func(*View)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.Agents, b.view.Breakers = slices.Clone(b.view.Agents), slices.Clone(b.view.Breakers) // the old View stays as it is
	f(&b.view)
	close(b.waiting)
	b.waiting = make(chan struct{})
}

func (b *bell) looks() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// A reader is the far end of a live connection.
type reader struct {
	header http.Header
	status int

	mu  sync.Mutex
	got []received
}

type received struct {
	update
	at time.Time
}

func newReader() *reader { return &reader{header: http.Header{}, status: http.StatusOK} }

func (r *reader) Header() http.Header              { return r.header }
func (r *reader) WriteHeader(status int)           { r.status = status }
func (r *reader) Flush()                           {}
func (r *reader) SetWriteDeadline(time.Time) error { return nil }

func (r *reader) Write(b []byte) (int, error) {
	text, ok := bytes.CutPrefix(b, []byte("data: "))
	if !ok {
		return len(b), nil // a refusal
	}
	if bytes.Count(b, []byte("\n")) != 2 || !bytes.HasSuffix(b, []byte("\n\n")) || bytes.ContainsRune(b, '\r') {
		return 0, errors.New("not one event of one line")
	}
	got := received{at: time.Now()}
	if err := json.Unmarshal(text, &got.update); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, got)
	return len(b), nil
}

// take returns what came since it was last called.
func (r *reader) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// follow opens a live connection; the returned functions end it, and wait for its end.
func follow(ctx context.Context, c *Console) (r *reader, leave context.CancelFunc, ended <-chan struct{}) {
	ctx, leave = context.WithCancel(ctx)
	r = newReader()
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(over)
		c.Handler().ServeHTTP(r, httptest.NewRequestWithContext(ctx, http.MethodGet, "/live", nil))
	})
	return r, leave, over
}

func partsOf(u update) []string { return slices.Sorted(maps.Keys(u.Parts)) }

func TestAReaderIsToldOfAChangeAtOnceAndOnlyOfWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{view: busy()}
		c := made(t, b.options())
		r, leave, ended := follow(t.Context(), c)
		defer func() { leave(); <-ended }()
		synctest.Wait()
		first := r.take()
		if len(first) != 1 || len(first[0].Parts) != len(parts()) || first[0].Title != "Unhealthy: 1 agent unhealthy · Genesis" {
			t.Fatalf("at first %d updates, want 1 with all of %v: %v", len(first), parts(), first)
		}
		if got := r.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type = %q, want text/event-stream", got)
		}
		time.Sleep(3 * time.Second)
		b.change(func(v *View) { v.Breakers[0].Open = 5 })
		at := time.Now()
		synctest.Wait()
		got := r.take()
		if len(got) != 1 || !got[0].at.Equal(at) {
			t.Fatalf("after a change: %d updates, want 1 at the same moment: %v", len(got), got)
		}
		// The status tells how long ago the last round was.
		if want := []string{"breakers", "status"}; !slices.Equal(partsOf(got[0].update), want) {
			t.Errorf("parts = %v, want %v: the rest says what it said", partsOf(got[0].update), want)
		}
	})
}

func TestAReaderIsToldAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{view: busy()}
		c := made(t, b.options())
		r, leave, ended := follow(t.Context(), c)
		defer func() { leave(); <-ended }()
		synctest.Wait()
		before := b.looks()
		for i := range 100 { // over 10 s
			time.Sleep(100 * time.Millisecond)
			b.change(func(v *View) { v.Agents[0].Lag = uint64(i) })
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := r.take()
		for i := 1; i < len(got); i++ {
			if gap := got[i].at.Sub(got[i-1].at); gap < time.Second {
				t.Errorf("updates %d and %d are %s apart, want a second at least", i-1, i, gap)
			}
		}
		if len(got) < 10 || len(got) > 13 {
			t.Errorf("%d updates of 100 changes in 11 s, want one a second", len(got))
		}
		if looks := b.looks() - before; looks > len(got) {
			t.Errorf("the View was asked for %d times for %d updates", looks, len(got))
		}
		if last := got[len(got)-1].Parts["agents"]; !bytes.Contains([]byte(last), []byte("<span>99</span>")) {
			t.Errorf("the last update does not hold the last lag, 99: %s", last)
		}
	})
}

func TestAReaderHearsThatAllIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Options{View: func() View { return View{Broker: Broker{Connected: true}} }})
		r, leave, ended := follow(t.Context(), c)
		defer func() { leave(); <-ended }()
		time.Sleep(20*time.Second + time.Millisecond)
		synctest.Wait()
		got := r.take()
		if len(got) != 5 {
			t.Fatalf("%d updates in 20 quiet seconds, want one at first and one every %s", len(got), beat)
		}
		for i, u := range got[1:] {
			if len(u.Parts) != 0 {
				t.Errorf("quiet update %d has the parts %v, want none", i, partsOf(u.update))
			}
		}
	})
}

func TestManyReadersCostOneRendering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{view: busy()}
		c := made(t, b.options())
		var rs []*reader
		for range 50 {
			r, leave, ended := follow(t.Context(), c)
			defer func() { leave(); <-ended }()
			rs = append(rs, r)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		before := b.looks()
		b.change(func(v *View) { v.Message = "something else" })
		synctest.Wait()
		if got := b.looks() - before; got != 1 {
			t.Errorf("one change for 50 readers: the View was asked for %d times, want once", got)
		}
		for i, r := range rs {
			if got := r.take(); len(got) == 0 || !bytes.Contains([]byte(got[len(got)-1].Parts["status"]), []byte("something else")) {
				t.Errorf("reader %d was not told", i)
			}
		}
	})
}

func TestTheViewIsAskedForByOneAtATime(t *testing.T) {
	var inside, most atomic.Int32
	c := made(t, Options{
		View: func() View {
			most.Store(max(most.Load(), inside.Add(1)))
			defer inside.Add(-1)
			return busy()
		},
		Changed: func() <-chan struct{} { always := make(chan struct{}); close(always); return always },
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				get(t, c, "/")
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got != 1 {
		t.Errorf("%d at a time, want 1", got)
	}
}

func TestReadersBeyondTheSeatsAreSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Options{View: busy, MaxLive: 2})
		_, leave, ended := follow(t.Context(), c)
		_, leave2, ended2 := follow(t.Context(), c)
		defer func() { leave2(); <-ended2 }()
		synctest.Wait()
		third, leave3, ended3 := follow(t.Context(), c)
		defer leave3()
		<-ended3
		if third.status != http.StatusServiceUnavailable || third.header.Get("Retry-After") == "" {
			t.Errorf("the third of two readers: %d, Retry-After %q; want 503 and when to come back", third.status, third.header.Get("Retry-After"))
		}
		leave()
		<-ended
		fourth, leave4, ended4 := follow(t.Context(), c)
		defer func() { leave4(); <-ended4 }()
		synctest.Wait()
		if got := fourth.take(); len(got) != 1 {
			t.Errorf("one left, another came: %d updates, want 1", len(got))
		}
	})
}

func TestClosingSendsAllReadersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := made(t, Options{View: busy})
		_, leave, ended := follow(t.Context(), c)
		defer leave()
		synctest.Wait()
		c.Close()
		c.Close() // twice is once
		<-ended
		late, leave2, ended2 := follow(t.Context(), c)
		defer leave2()
		<-ended2
		if late.status != http.StatusServiceUnavailable {
			t.Errorf("a reader after Close: %d, want 503", late.status)
		}
		if w := get(t, c, "/"); w.Code != http.StatusOK {
			t.Errorf("the page after Close = %d, want 200: it is the live connections that end", w.Code)
		}
	})
}
