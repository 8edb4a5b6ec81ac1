package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Kinds of entries in the attempt ledger.
const (
	EntryFailed    = "failed"    // an attempt failed; it counts
	EntryRejected  = "rejected"  // nothing was executed; it costs no attempt
	EntryDrained   = "drained"   // the worker shut down before the end; it costs no attempt
	EntryCrashed   = "crashed"   // earlier deliveries ended without a word: their workers died
	EntryHeld      = "held"      // put back, to be taken up later; it costs no attempt
	EntryCondemned = "condemned" // it goes to the dead letters
)

// maxEntries bounds a history; the oldest entries give way.
const maxEntries = 64

// A History is the ledger of one request: written only when something failed, so
// a request without trouble has none.
type History struct {
	Agent string `json:"agent"`
	ID    string `json:"id"`
	// Sequence is the request message that the counters below belong to; a replay is
	// another message and starts them anew.
	Sequence uint64 `json:"sequence"`
	// Attempts counts the executions that failed.
	Attempts int `json:"attempts"`
	// Earlier counts those of the messages before, which were replayed.
	Earlier int `json:"earlier,omitempty"`
	// Settled counts the deliveries whose end is known; the others crashed.
	Settled uint64 `json:"settled"`
	// Condemned is set once the request is on its way to the dead letters.
	Condemned *Condemnation `json:"condemned,omitempty"`
	Entries   []Entry       `json:"entries"`
	// Dropped counts the entries that gave way to newer ones.
	Dropped int `json:"dropped,omitempty"`
}

// A Condemnation is why a request goes to the dead letters.
type Condemnation struct {
	Reason string `json:"reason"`
	Error  string `json:"error"`
	Code   Code   `json:"code"`
}

// An Entry is one event in the life of a request.
type Entry struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Attempt  int       `json:"attempt,omitempty"`
	Delivery uint64    `json:"delivery,omitempty"`
	Error    string    `json:"error,omitempty"`
	// Fingerprint identifies the cause, whatever its details.
	Fingerprint string `json:"fingerprint,omitempty"`
	Rung        string `json:"rung,omitempty"`
	Worker      string `json:"worker,omitempty"`
	DelayMS     int64  `json:"delay_ms,omitempty"`
	// Count is above 1 when the same event came several times in a row.
	Count int `json:"count,omitempty"`
}

// First is when the first entry was made.
func (h *History) First() time.Time {
	if len(h.Entries) == 0 {
		return time.Time{}
	}
	return h.Entries[0].At
}

// crashes is how many of the deliveries before this one ended without a word.
func (h *History) crashes(delivery uint64) int {
	if delivery <= h.Settled+1 {
		return 0
	}
	return int(min(delivery-1-h.Settled, math.MaxInt32))
}

// add appends an entry, folding a repetition into the one before.
func (h *History) add(e Entry) {
	if n := len(h.Entries); n > 0 {
		last := &h.Entries[n-1]
		if e.Kind != EntryFailed && last.Kind == e.Kind && last.Error == e.Error && last.Worker == e.Worker {
			last.At, last.Delivery, last.DelayMS = e.At, e.Delivery, e.DelayMS
			last.Count = max(last.Count, 1) + 1
			return
		}
	}
	h.Entries = append(h.Entries, e)
	if over := len(h.Entries) - maxEntries; over > 0 {
		h.Entries = append(h.Entries[:0], h.Entries[over:]...)
		h.Dropped += over
	}
}

func historyKey(agent, id string) string { return agent + "." + id }

func duplicateKey(agent string, sequence uint64) string {
	return "dup." + agent + "." + strconv.FormatUint(sequence, 10)
}

// History reads the attempt ledger of a request. Errors: [ErrNotFound] when
// nothing ever failed (or 30 days passed), [ErrUnavailable].
func (b *Bus) History(ctx context.Context, agent, id string) (History, error) {
	h, _, err := b.readHistory(ctx, agent, id)
	return h, err
}

func (b *Bus) readHistory(ctx context.Context, agent, id string) (History, uint64, error) {
	kv, err := b.bucket(ctx, bucketAttempts)
	if err != nil {
		return History{}, 0, err
	}
	entry, err := kv.Get(ctx, historyKey(agent, id))
	if err != nil {
		return History{}, 0, readError("read the attempts of "+id, err)
	}
	var h History
	if err := json.Unmarshal(entry.Value(), &h); err != nil {
		return History{}, 0, fmt.Errorf("read the attempts of %s: %w", id, err)
	}
	return h, entry.Revision(), nil
}

// record changes the history of a request, in as many rounds as others change it at
// the same time.
func (b *Bus) record(ctx context.Context, agent, id string, sequence uint64, change func(*History)) (History, error) {
	kv, err := b.bucket(ctx, bucketAttempts)
	if err != nil {
		return History{}, err
	}
	for range maxConflicts {
		h, revision, err := b.readHistory(ctx, agent, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return History{}, err
		}
		h.startRun(agent, id, sequence)
		change(&h)
		value, err := json.Marshal(h)
		if err != nil {
			return History{}, fmt.Errorf("write the attempts of %s: %w", id, err)
		}
		if revision == 0 {
			_, err = kv.Create(ctx, historyKey(agent, id), value)
		} else {
			_, err = kv.Update(ctx, historyKey(agent, id), value, revision)
		}
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(publishError(err), ErrExists) {
			return History{}, fmt.Errorf("write the attempts of %s: %w", id, publishError(err))
		}
	}
	return History{}, fmt.Errorf("write the attempts of %s: %w: they change all the time", id, ErrUnavailable)
}

// startRun begins new counters when the request is another message than before.
func (h *History) startRun(agent, id string, sequence uint64) {
	h.Agent, h.ID = agent, id
	if sequence <= h.Sequence {
		return
	}
	h.Earlier += h.Attempts
	h.Sequence, h.Attempts, h.Settled, h.Condemned = sequence, 0, 0, nil
}

// recordDuplicate notes that a request message was a repetition of one that is
// already answered, so that its sequence stays accounted for.
func (b *Bus) recordDuplicate(ctx context.Context, agent, id string, sequence uint64) error {
	kv, err := b.bucket(ctx, bucketAttempts)
	if err != nil {
		return err
	}
	if _, err := kv.PutString(ctx, duplicateKey(agent, sequence), id); err != nil {
		return fmt.Errorf("record the duplicate %s: %w", id, publishError(err))
	}
	return nil
}
