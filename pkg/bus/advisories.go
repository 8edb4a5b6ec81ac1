package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
)

// StreamAdvisories keeps what the broker says of requests that it gave up. Nobody hears
// the broker's advisories who does not listen at that moment, so a stream does. It takes
// those of consumers that reached a limit of deliveries, and of lanes and queues that
// were removed, for people who look for a cause. Those of terminated messages are left
// out: workers terminate each dead letter, and a message that somebody else terminates is
// gone, which a verification tells.
const StreamAdvisories = "GENESIS_ADVISORIES"

const advisoryGivenUp = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.*"

// An advisory says that a consumer gave a message up.
type advisory struct {
	Stream     string    `json:"stream"`
	Consumer   string    `json:"consumer"`
	Sequence   uint64    `json:"stream_seq"`
	Deliveries uint64    `json:"deliveries"`
	Time       time.Time `json:"timestamp"`
}

// advisoryBatch is how many advisories are read at once.
const advisoryBatch = 250

// givenUp reads some advisories of messages that were given up, after a place in their
// stream, oldest first, and returns the place of the last.
func (b *Bus) givenUp(ctx context.Context, after uint64) (found []advisory, last uint64, err error) {
	last = after
	batch, err := jetstreamext.GetBatch(ctx, b.js, StreamAdvisories, advisoryBatch,
		jetstreamext.GetBatchSeq(after+1), jetstreamext.GetBatchSubject(advisoryGivenUp))
	if err != nil {
		return nil, last, readError("read the advisories", err)
	}
	for msg, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			break
		}
		if err != nil {
			return found, last, readError("read the advisories", err)
		}
		last = msg.Sequence
		var a advisory
		if err := json.Unmarshal(msg.Data, &a); err != nil {
			return found, last, fmt.Errorf("read the advisory %d: %w", last, err)
		}
		found = append(found, a)
	}
	return found, last, nil
}
