package bus

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// A streamField is one setting of a stream, with the rules for changing it. The
// rules get normalized configurations, and only when the setting differs.
type streamField struct {
	name string // its key in the stream's JSON
	text func(*jetstream.StreamConfig) string

	// tolerated: a program may run on the live setting although want is
	// configured. nil: never.
	tolerated func(live, want *jetstream.StreamConfig) bool
	// fixed: the server cannot change it in place. nil: it can.
	fixed func(live, want *jetstream.StreamConfig) bool
	// danger says why the change could lose messages; "" or nil: it cannot.
	danger func(live, want *jetstream.StreamConfig) string
	// warning is what else an operator should know; "" or nil: nothing.
	warning func(live, want *jetstream.StreamConfig) string
}

// alwaysTrue is the rule of a setting that is the operator's choice, or that
// never changes in place.
func alwaysTrue(_, _ *jetstream.StreamConfig) bool { return true }

// streamFields lists every setting of a stream. A test holds it to the
// client's StreamConfig, so that a new setting cannot be forgotten.
func streamFields() []streamField {
	return append(append(contentFields(), limitFields()...), abilityFields()...)
}

// contradictions are the settings of a live stream on which no program may run.
func contradictions(live, want *jetstream.StreamConfig) []Conflict {
	var conflicts []Conflict
	for _, f := range streamFields() {
		found, wanted := f.text(live), f.text(want)
		if found == wanted || f.tolerated != nil && f.tolerated(live, want) {
			continue
		}
		conflicts = append(conflicts, Conflict{
			Stream: want.Name, Field: f.name, Found: found, Want: wanted,
			Fixed: f.fixed != nil && f.fixed(live, want),
		})
	}
	return conflicts
}

// contentFields say what a stream takes, where it comes from and where it is kept.
func contentFields() []streamField {
	return []streamField{
		{
			name:      "description",
			text:      func(c *jetstream.StreamConfig) string { return c.Description },
			tolerated: alwaysTrue,
		},
		{
			name: "subjects",
			text: func(c *jetstream.StreamConfig) string { return subjectsText(c.Subjects) },
			danger: func(live, want *jetstream.StreamConfig) string {
				if lost := uncoveredSubjects(live.Subjects, want.Subjects); len(lost) > 0 {
					return "what is published to " + subjectsText(lost) + " would no longer be stored"
				}
				return ""
			},
		},
		{
			name: "subject_transform",
			text: func(c *jetstream.StreamConfig) string {
				if c.SubjectTransform == nil {
					return noneText
				}
				return c.SubjectTransform.Source + " -> " + c.SubjectTransform.Destination
			},
		},
		{
			name: "retention",
			text: func(c *jetstream.StreamConfig) string { return c.Retention.String() },
			fixed: func(live, want *jetstream.StreamConfig) bool {
				return live.Retention == jetstream.WorkQueuePolicy || want.Retention == jetstream.WorkQueuePolicy
			},
			danger: func(_, want *jetstream.StreamConfig) string {
				if want.Retention == jetstream.InterestPolicy {
					return "retention interest removes what no consumer waits for"
				}
				return ""
			},
		},
		{
			name:  "storage",
			text:  func(c *jetstream.StreamConfig) string { return c.Storage.String() },
			fixed: alwaysTrue,
		},
		{
			name:      "num_replicas",
			text:      func(c *jetstream.StreamConfig) string { return fmt.Sprint(c.Replicas) },
			tolerated: alwaysTrue,
			warning: func(live, want *jetstream.StreamConfig) string {
				if want.Replicas < live.Replicas {
					return fmt.Sprintf("%d replicas instead of %d survive the loss of fewer servers", want.Replicas, live.Replicas)
				}
				return ""
			},
		},
		{
			name:      "placement",
			text:      func(c *jetstream.StreamConfig) string { return objectText(c.Placement) },
			tolerated: alwaysTrue,
		},
		{
			name:  "mirror",
			text:  func(c *jetstream.StreamConfig) string { return objectText(c.Mirror) },
			fixed: alwaysTrue,
		},
		{
			name: "sources",
			text: func(c *jetstream.StreamConfig) string { return sourcesText(c.Sources) },
			danger: func(live, want *jetstream.StreamConfig) string {
				if lost := withoutSources(live.Sources, want.Sources); lost != "" {
					return "messages of " + lost + " would no longer arrive"
				}
				return ""
			},
		},
		{
			name:      "republish",
			text:      func(c *jetstream.StreamConfig) string { return objectText(c.RePublish) },
			tolerated: alwaysTrue,
		},
		{
			name:      "first_seq",
			text:      func(c *jetstream.StreamConfig) string { return fmt.Sprint(c.FirstSeq) },
			tolerated: alwaysTrue,
		},
		{
			name:      "compression",
			text:      func(c *jetstream.StreamConfig) string { return c.Compression.String() },
			tolerated: alwaysTrue,
		},
		{
			name:      "metadata",
			text:      func(c *jetstream.StreamConfig) string { return metadataText(c.Metadata) },
			tolerated: alwaysTrue,
		},
	}
}
