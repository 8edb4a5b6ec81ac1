package bus

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

// Whoever waits because too many publishes are unconfirmed goes on when there is room.
func TestPublishersBeyondTheLimitWaitTheirTurn(t *testing.T) {
	b := resultsBus(t)
	b.commit.confirm.limit = 3
	var stored atomic.Int32
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if _, err := b.commit.publish(t.Context(), StreamResults, nats.NewMsg(ResultSubject("a", fmt.Sprint("x", i)))); err != nil {
				t.Errorf("publish %d: %v", i, err)
			}
			stored.Add(1)
		})
	}
	wg.Wait()
	if n := len(b.commit.confirm.waiting); n != 0 || stored.Load() != 300 {
		t.Errorf("stored %d of 300, and %d still wait", stored.Load(), n)
	}
}

func TestPublishersThatWaitLearnThatTheConnectionBroke(t *testing.T) {
	s := bustest.Start(t)
	b, err := Connect(t.Context(), Options{InProcess: s.InProcess()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	taken := make(chan struct{}, 3)
	if _, err := b.nc.Subscribe("silent", func(*nats.Msg) { taken <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	b.commit.confirm.limit = 3
	ends := make(chan error, 8)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := b.commit.publish(t.Context(), "", nats.NewMsg("silent"))
			ends <- err
		})
	}
	for range 3 {
		<-taken
	}
	s.Down(t)
	wg.Wait()
	for range 8 {
		if err := publishError(<-ends); !errors.Is(err, ErrUnavailable) {
			t.Errorf("publish: got %v, want unavailable", err)
		}
	}
}

func TestConfirmationsAreRead(t *testing.T) {
	for data, want := range map[string]struct {
		sequence uint64
		err      error
	}{
		`{"stream":"S","seq":42}`:                              {42, nil},
		`{"stream":"S", "seq": 42}`:                            {42, nil},
		`{"type":"io.x","stream":"S","domain":"d","seq":7}`:    {7, nil},
		`{"stream":"S","seq":9,"duplicate":true}`:              {9, errDeduplicated},
		`{"stream":"S","seq":9,"duplicate":false}`:             {9, nil},
		`{"stream":"S","seq":18446744073709551615}`:            {18446744073709551615, nil},
		`{"error":{"code":400,"err_code":10071},"stream":"S"}`: {0, &jetstream.APIError{ErrorCode: 10071}},
		`{"error":{"code":503,"err_code":10077},"seq":0}`:      {0, &jetstream.APIError{ErrorCode: 10077}},
		`{}`: {0, jetstream.ErrInvalidJSAck}, ``: {0, jetstream.ErrInvalidJSAck}, `nonsense`: {0, jetstream.ErrInvalidJSAck},
		`"seq":5`: {0, jetstream.ErrInvalidJSAck},
	} {
		sequence, err := readConfirmation([]byte(data))
		if sequence != want.sequence || (err == nil) != (want.err == nil) || err != nil && !errors.Is(err, want.err) {
			t.Errorf("confirmation %s: got %d, %v, want %d, %v", data, sequence, err, want.sequence, want.err)
		}
	}
}
