package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errHeld: the lease is not to be had.
var errHeld = errors.New("somebody has the lease")

// leaderLease is the value of a leader's lease.
type leaderLease struct {
	Leadership
	// Term is made by each who contends, and tells its own lease from that of another one
	// of the same name.
	Term string `json:"term"`
}

// A term is one contender's share in a lease.
//
// A lease that expires is not simply gone. The broker decides to put a marker in its
// place, and does so a moment later, whatever was stored and confirmed in between. So
// nobody writes over a lease that may be expiring, not even over the own one, and who
// has taken a lease leads only when it can be renewed.
type term struct {
	bus      *Bus
	o        LeadOptions
	id       string
	key      string
	sequence uint64    // of the key, as far as it is known
	known    bool      // and it is
	since    time.Time // when it took the lease
	until    time.Time // it leads no longer than that, by the monotonic clock
	wrote    bool      // it may have the lease
	odd      bool      // its note cannot be written; that was logged
}

func newTerm(b *Bus, o LeadOptions) *term {
	return &term{bus: b, o: o, id: NewID(), key: leaseKey(leaderPrefix, o.Name)}
}

// take takes the lease when nobody has it. It returns [errHeld] when somebody has it, be
// it this one from before an outage, and [ErrUnavailable].
func (t *term) take(ctx context.Context) error {
	own, err := t.look(ctx)
	if err != nil {
		return err
	}
	if own {
		return errHeld
	}
	t.since = time.Now()
	return t.write(ctx)
}

// renew renews the lease. A conflict and a write whose confirmation was lost end in
// another look: only when the lease is still this one's it goes on. It returns
// [errHeld] when the lease is lost or may be expiring, and [ErrUnavailable] when nothing
// is known.
func (t *term) renew(ctx context.Context) error {
	before := t.until
	for {
		if !t.known {
			own, err := t.look(ctx)
			if err != nil {
				return err
			}
			if !own {
				return errHeld // it expired, or was removed, and is anybody's
			}
		}
		err := t.write(ctx)
		if err == nil && time.Now().After(before) {
			return errHeld
		}
		if !errors.Is(err, ErrExists) {
			return err
		}
	}
}

// look reads the key: its sequence, and whether the lease is this one's. It returns
// [errHeld] when it is another one's.
func (t *term) look(ctx context.Context) (own bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leasePatience)
	defer cancel()
	// A replica that lags would tell of a lease that is over.
	msg, err := t.bus.lastMessageOfLeader(ctx, leasesStream, leasesSubject+t.key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		t.sequence, t.known = 0, true
		return false, nil
	}
	if err != nil {
		return false, readError("read lease "+t.key, err)
	}
	lease, err := readLeader(msg)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		t.bus.log.Warn("a lease that no leader wrote is replaced", "key", t.key, "error", err)
	case lease.Term != t.id:
		return false, errHeld
	default:
		own = true
	}
	t.sequence, t.known = msg.Sequence, true
	return own, nil
}

// write stores the lease in place of what look saw.
func (t *term) write(ctx context.Context) error {
	lease := leaderLease{Leadership: Leadership{Holder: t.o.Holder, Since: t.since.UTC(), Note: t.note()}, Term: t.id}
	value, err := json.Marshal(lease)
	if err != nil {
		return fmt.Errorf("write lease %s: %w", t.key, err)
	}
	began, expected := time.Now(), t.sequence
	t.wrote, t.known = true, false
	if t.sequence, err = t.bus.writeLease(ctx, leaseWrite{key: t.key, value: value, expected: &expected}); err != nil {
		return err
	}
	t.known = true
	t.until = began.Add(leaseTTL - leadMargin)
	return nil
}

// note is what the leader tells of itself.
func (t *term) note() json.RawMessage {
	if t.o.Describe == nil {
		return nil
	}
	note, err := json.Marshal(t.o.Describe())
	if err == nil && len(note) > maxNote {
		err = fmt.Errorf("it has %d bytes; at most %d fit", len(note), maxNote)
	}
	if err != nil {
		if !t.odd {
			t.bus.log.Error("what the leader tells of itself is left out", "lease", t.o.Name, "error", err)
		}
		t.odd = true
		return nil
	}
	t.odd = false
	return note
}

// release gives the lease up, if it is this one's, also when ctx has ended.
func (t *term) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*leasePatience)
	defer cancel()
	for t.wrote && t.bus.Connected() { // else there is none, or it expires
		if !t.known {
			if own, err := t.look(ctx); err != nil || !own {
				break
			}
		}
		expected := t.sequence
		t.known = false
		if _, err := t.bus.writeLease(ctx, leaseWrite{key: t.key, expected: &expected, farewell: true}); !errors.Is(err, ErrExists) {
			break
		}
	}
	t.wrote = false
}

// readLeader reads a leader's lease. It returns [ErrNotFound] when nobody leads, and
// other errors for what no leader wrote.
func readLeader(msg *jetstream.RawStreamMsg) (leaderLease, error) {
	if msg.Header.Get(headerOperation) != "" || msg.Header.Get(jetstream.MarkerReasonHeader) != "" {
		return leaderLease{}, ErrNotFound
	}
	if !isLease(msg.Header) {
		return leaderLease{}, errors.New("it has no time to live")
	}
	return decodeLeader(msg.Data)
}

func decodeLeader(value []byte) (leaderLease, error) {
	var lease leaderLease
	if err := json.Unmarshal(value, &lease); err != nil {
		return leaderLease{}, err
	}
	if lease.Holder == "" || lease.Term == "" {
		return leaderLease{}, errors.New("it names no holder")
	}
	return lease, nil
}
