package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// verifyWindow is how many sequences are checked at a time: one bit each, 8 MiB.
	verifyWindow = 1 << 26
	// verifyNamed is how many missing sequences a report names.
	verifyNamed = 100
	// verifyMargin keeps away from results that expire while they are read.
	verifyMargin = time.Minute
)

// VerifyOptions select what to verify. The zero value is every agent, silently.
type VerifyOptions struct {
	Agents []string
	// Progress, when set, is called now and then with how many messages were read, of
	// how many.
	Progress func(done, total uint64)
}

// A VerifyReport says, for one agent, what became of the request messages From to To:
// each is pending, the origin of a result or of a dead letter, or was recorded as a
// duplicate. Those that are none of these are Missing, and that is a loss.
type VerifyReport struct {
	Agent string `json:"agent"`
	// From is the first sequence that can be judged: before it results have expired.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Pending, Results, DeadLetters and Duplicates count what was found of all ages.
	Pending     uint64 `json:"pending"`
	Results     uint64 `json:"results"`
	DeadLetters uint64 `json:"dead_letters"`
	Duplicates  uint64 `json:"duplicates"`
	// MissingCount counts the sequences that are accounted for nowhere; Missing names
	// the first hundred.
	MissingCount uint64   `json:"missing_count"`
	Missing      []uint64 `json:"missing"`
}

// Verify proves from the streams alone that no accepted request was lost, on a live
// system, while it works. Its memory does not grow with the number of results. Errors:
// [ErrUnknownAgent], [ErrUnavailable]; a loss is not an error but in the reports.
func (b *Bus) Verify(ctx context.Context, o VerifyOptions) ([]VerifyReport, error) {
	names := o.Agents
	if len(names) == 0 {
		var err error
		if names, err = b.Agents(ctx); err != nil {
			return nil, err
		}
	}
	progress := &verifyProgress{report: o.Progress}
	if err := b.verifyTotal(ctx, names, progress); err != nil {
		return nil, err
	}
	reports := make([]VerifyReport, 0, len(names))
	for _, agent := range names {
		r, err := b.verifyAgent(ctx, agent, verifyWindow, progress)
		if err == nil && r.MissingCount > 0 {
			// What moved from one place to another while it was read is found the second
			// time; what is lost is not.
			r, err = b.verifyAgent(ctx, agent, verifyWindow, progress)
		}
		if err != nil {
			return reports, fmt.Errorf("verify %s: %w", agent, err)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// verifyTotal adds up what there is to read.
func (b *Bus) verifyTotal(ctx context.Context, agents []string, p *verifyProgress) error {
	for _, agent := range agents {
		s, err := b.js.Stream(ctx, RequestStream(agent))
		if err != nil {
			if b.knowsAgent(ctx, agent) {
				return readError("verify "+agent, err)
			}
			return fmt.Errorf("verify: %w: %q", ErrUnknownAgent, agent)
		}
		p.total += s.CachedInfo().State.Msgs
	}
	for _, name := range []string{StreamResults, StreamDeadLetters} {
		s, err := b.js.Stream(ctx, name)
		if err != nil {
			return readError("verify", err)
		}
		p.total += s.CachedInfo().State.Msgs
	}
	return nil
}

type verifyProgress struct {
	done, total uint64
	report      func(done, total uint64)
}

func (p *verifyProgress) add(n uint64) {
	p.done += n
	if p.report != nil {
		p.report(p.done, max(p.total, p.done))
	}
}

func (b *Bus) verifyAgent(ctx context.Context, agent string, size uint64, progress *verifyProgress) (VerifyReport, error) {
	requests, err := b.js.Stream(ctx, RequestStream(agent))
	if err != nil {
		return VerifyReport{}, readError("verify", err)
	}
	results, err := b.js.Stream(ctx, StreamResults)
	if err != nil {
		return VerifyReport{}, readError("verify", err)
	}
	v := &verification{
		bus: b, agent: agent, progress: progress, horizon: verifyHorizon(results.CachedInfo()),
		created: requests.CachedInfo().Created,
		report:  VerifyReport{Agent: agent, To: requests.CachedInfo().State.LastSeq, Missing: []uint64{}},
	}
	fromTheStart := !requests.CachedInfo().Created.Before(v.horizon.Add(-verifyMargin))
	v.floor = v.report.To + 1
	for high := v.report.To; high > 0; {
		low := uint64(1)
		if high > size {
			low = high - size + 1
		}
		first := high == v.report.To
		if err := v.window(ctx, low, high, first); err != nil {
			return VerifyReport{}, err
		}
		if first && fromTheStart {
			v.floor = 1
		}
		v.judge(max(low, v.floor), high, low)
		if low <= v.floor {
			break
		}
		high = low - 1
	}
	v.report.From = min(v.floor, v.report.To)
	if v.report.To == 0 {
		v.report.From = 0
	}
	return v.report, nil
}

// verifyHorizon is the time since when every result is still kept, by the broker's clock:
// by one that is hours late, results that expired would be missing.
func verifyHorizon(results *jetstream.StreamInfo) time.Time {
	horizon := results.Created
	if age := results.Config.MaxAge; age > 0 {
		if expired := results.TimeStamp.Add(-age + verifyMargin); expired.After(horizon) {
			horizon = expired
		}
	}
	return horizon
}

// A verification accounts for the sequences of one agent.
type verification struct {
	bus      *Bus
	agent    string
	progress *verifyProgress
	horizon  time.Time
	// created is when the request stream was made: what is older belongs to one that had
	// its name before.
	created time.Time
	// floor is the lowest sequence that is known to be younger than the horizon.
	floor  uint64
	report VerifyReport

	low, high uint64
	found     []uint64 // one bit a sequence of the window
}

// window marks what is accounted for between low and high. Pending messages are read
// first: whatever leaves the queue after that has its outcome stored already, and is
// found there.
func (v *verification) window(ctx context.Context, low, high uint64, count bool) error {
	v.low, v.high = low, high
	v.found = make([]uint64, (high-low)/64+1)
	if err := v.pending(ctx); err != nil {
		return err
	}
	for _, store := range []struct {
		stream, filter string
		n              *uint64
	}{
		{StreamResults, ResultSubject(v.agent, "*"), &v.report.Results},
		{StreamDeadLetters, DeadLetterSubject(v.agent, "*"), &v.report.DeadLetters},
	} {
		err := v.bus.scan(ctx, store.stream, store.filter, true, func(msg jetstream.Msg) error {
			o := readOrigin(msg.Headers())
			if o.Time.Before(v.created) {
				return nil
			}
			v.mark(o.Sequence, o.Time)
			for _, earlier := range o.Earlier {
				v.mark(earlier, time.Time{})
			}
			if count {
				*store.n++
				v.progress.add(1)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	filter := "$KV." + bucketAttempts + "." + duplicateKey(v.agent, 0)
	filter = strings.TrimSuffix(filter, "0") + "*"
	return v.bus.scan(ctx, "KV_"+bucketAttempts, filter, true, func(msg jetstream.Msg) error {
		if meta, err := msg.Metadata(); err != nil || meta.Timestamp.Before(v.created) {
			return err
		}
		subject := msg.Subject()
		v.mark(parseUint(subject[strings.LastIndexByte(subject, '.')+1:]), time.Time{})
		if count {
			v.report.Duplicates++
		}
		return nil
	})
}

// pending marks the messages that are in the queue.
func (v *verification) pending(ctx context.Context) error {
	for next := v.low; next <= v.high; {
		batch, err := jetstreamext.GetBatch(ctx, v.bus.js, RequestStream(v.agent), scanBatch, jetstreamext.GetBatchSeq(next))
		if err != nil {
			return readError("read the queue", err)
		}
		last := uint64(0)
		for msg, err := range batch {
			if err != nil {
				if errors.Is(err, jetstreamext.ErrNoMessages) {
					break
				}
				return readError("read the queue", err)
			}
			last = msg.Sequence
			if last > v.high {
				break
			}
			v.mark(last, msg.Time)
			for _, earlier := range parseSequences(msg.Header.Get(HeaderOriginEarlier)) {
				v.mark(earlier, time.Time{})
			}
			v.report.Pending++
			v.progress.add(1)
		}
		if last == 0 || last > v.high {
			return nil
		}
		next = last + 1
	}
	return nil
}

func (v *verification) mark(sequence uint64, stored time.Time) {
	if sequence == 0 || sequence > v.report.To {
		return
	}
	if !stored.IsZero() && !stored.Before(v.horizon) {
		v.floor = min(v.floor, sequence)
	}
	if sequence >= v.low && sequence <= v.high {
		i := sequence - v.low
		v.found[i/64] |= 1 << (i % 64)
	}
}

// judge names the unmarked sequences between from and to, of a window that starts at low.
func (v *verification) judge(from, to, low uint64) {
	for s := from; s <= to; s++ {
		i := s - low
		if v.found[i/64]>>(i%64)&1 == 1 {
			continue
		}
		v.report.MissingCount++
		if len(v.report.Missing) < verifyNamed {
			v.report.Missing = append(v.report.Missing, s)
		}
	}
}
