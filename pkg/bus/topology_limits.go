package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// limitFields say how much a stream keeps and for how long.
func limitFields() []streamField {
	return []streamField{
		{
			name: "discard",
			text: func(c *jetstream.StreamConfig) string { return c.Discard.String() },
			danger: func(_, want *jetstream.StreamConfig) string {
				if want.Discard == jetstream.DiscardOld {
					return "a full stream would remove its oldest messages instead of refusing new ones"
				}
				return ""
			},
		},
		{
			name: "discard_new_per_subject",
			text: func(c *jetstream.StreamConfig) string { return fmt.Sprint(c.DiscardNewPerSubject) },
			danger: func(_, want *jetstream.StreamConfig) string {
				if !want.DiscardNewPerSubject {
					return "a full subject would remove its oldest message instead of refusing a new one"
				}
				return ""
			},
		},
		{
			name:      "max_msgs",
			text:      func(c *jetstream.StreamConfig) string { return countText(c.MaxMsgs) },
			tolerated: alwaysTrue,
			danger: func(live, want *jetstream.StreamConfig) string {
				return removesOldest(want.Discard, "max_msgs", live.MaxMsgs, want.MaxMsgs)
			},
			warning: func(live, want *jetstream.StreamConfig) string {
				return refusesMore(want.Discard, "max_msgs", live.MaxMsgs, want.MaxMsgs)
			},
		},
		{
			name:      "max_bytes",
			text:      func(c *jetstream.StreamConfig) string { return countText(c.MaxBytes) },
			tolerated: alwaysTrue,
			danger: func(live, want *jetstream.StreamConfig) string {
				return removesOldest(want.Discard, "max_bytes", live.MaxBytes, want.MaxBytes)
			},
			warning: func(live, want *jetstream.StreamConfig) string {
				return refusesMore(want.Discard, "max_bytes", live.MaxBytes, want.MaxBytes)
			},
		},
		{
			name:      "max_age",
			text:      func(c *jetstream.StreamConfig) string { return ageText(c.MaxAge) },
			tolerated: func(live, want *jetstream.StreamConfig) bool { return shorterAge(want.MaxAge, live.MaxAge) },
			danger: func(live, want *jetstream.StreamConfig) string {
				if !shorterAge(want.MaxAge, live.MaxAge) {
					return ""
				}
				return fmt.Sprintf("max_age %s instead of %s removes what is older", ageText(want.MaxAge), ageText(live.MaxAge))
			},
		},
		{
			name: "max_msgs_per_subject",
			text: func(c *jetstream.StreamConfig) string { return countText(c.MaxMsgsPerSubject) },
			danger: func(live, want *jetstream.StreamConfig) string {
				// Whatever discard is, the server cuts each subject to the new limit.
				return removesOldest(jetstream.DiscardOld, "max_msgs_per_subject", live.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
			},
		},
		{
			name: "max_msg_size",
			text: func(c *jetstream.StreamConfig) string { return countText(int64(c.MaxMsgSize)) },
			tolerated: func(live, want *jetstream.StreamConfig) bool {
				return smallerLimit(int64(want.MaxMsgSize), int64(live.MaxMsgSize))
			},
			warning: func(live, want *jetstream.StreamConfig) string {
				if !smallerLimit(int64(want.MaxMsgSize), int64(live.MaxMsgSize)) {
					return ""
				}
				return fmt.Sprintf("messages of more than %d bytes are refused from now on", want.MaxMsgSize)
			},
		},
		{
			name:      "max_consumers",
			text:      func(c *jetstream.StreamConfig) string { return countText(int64(c.MaxConsumers)) },
			tolerated: alwaysTrue,
		},
		{
			name:      "consumer_limits",
			text:      func(c *jetstream.StreamConfig) string { return objectText(&c.ConsumerLimits) },
			tolerated: nil, // a limit could refuse the consumers of the pools
		},
		{
			name:      "duplicate_window",
			text:      func(c *jetstream.StreamConfig) string { return ageText(c.Duplicates) },
			tolerated: alwaysTrue,
		},
		{
			name: "subject_delete_marker_ttl",
			text: func(c *jetstream.StreamConfig) string {
				if c.SubjectDeleteMarkerTTL <= 0 {
					return noneText
				}
				return c.SubjectDeleteMarkerTTL.String()
			},
			tolerated: func(live, want *jetstream.StreamConfig) bool {
				return live.SubjectDeleteMarkerTTL > 0 && want.SubjectDeleteMarkerTTL > 0
			},
		},
	}
}

// smallerLimit compares limits; one below 1 is none at all.
func smallerLimit(a, b int64) bool { return a > 0 && (b <= 0 || a < b) }

// shorterAge compares ages; 0 is for ever.
func shorterAge(a, b time.Duration) bool { return smallerLimit(int64(a), int64(b)) }

// removesOldest says what a smaller limit does when the oldest message is discarded.
func removesOldest(discard jetstream.DiscardPolicy, name string, from, to int64) string {
	if discard == jetstream.DiscardNew || !smallerLimit(to, from) {
		return ""
	}
	return fmt.Sprintf("%s %s instead of %s removes the oldest messages beyond it", name, countText(to), countText(from))
}

// refusesMore says what a smaller limit does when new messages are refused.
func refusesMore(discard jetstream.DiscardPolicy, name string, from, to int64) string {
	if discard == jetstream.DiscardOld || !smallerLimit(to, from) {
		return ""
	}
	return fmt.Sprintf("with more than %s %s the stream refuses new messages until it holds less; none is removed", countText(to), name)
}
