package bus

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// A streamStep is a change with what is needed to make it.
type streamStep struct {
	change    Change
	live      *jetstream.StreamConfig // nil: the stream does not exist
	target    jetstream.StreamConfig
	conflicts []Conflict
}

func changesOf(steps []streamStep) []Change {
	changes := make([]Change, len(steps))
	for i, s := range steps {
		changes[i] = s.change
	}
	return changes
}

func madeOf(steps []streamStep, done []bool) []Change {
	var changes []Change
	for i, s := range steps {
		if done[i] {
			changes = append(changes, s.change)
		}
	}
	return changes
}

// planSteps compares want with the server's streams.
func planSteps(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig) ([]streamStep, error) {
	names := make(map[string]bool, len(want))
	for _, w := range want {
		if names[w.Name] {
			return nil, fmt.Errorf("plan streams: %s is wanted twice", w.Name)
		}
		names[w.Name] = true
	}
	live, err := liveStreams(ctx, js, names)
	if err != nil {
		return nil, fmt.Errorf("plan streams: %w", err)
	}
	var foreign []*jetstream.StreamInfo
	for name, info := range live {
		if !names[name] {
			foreign = append(foreign, info)
		}
	}
	fields := streamFields()
	steps := make([]streamStep, 0, len(want))
	for _, w := range want {
		s := planStep(fields, live[w.Name], w)
		for _, c := range subjectOverlaps(&s.target, foreign) {
			s.conflict(c)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// planStep compares one wanted stream with the live one, which is nil when it
// does not exist.
func planStep(fields []streamField, info *jetstream.StreamInfo, want jetstream.StreamConfig) streamStep {
	if info == nil {
		return streamStep{change: Change{Stream: want.Name, Kind: ChangeCreate}, target: normalizedStream(want)}
	}
	live := normalizedStream(info.Config)
	s := streamStep{
		change: Change{Stream: want.Name, Kind: ChangeNone},
		live:   &live,
		target: adoptOpen(&live, normalizedStream(want)),
	}
	var dangers, warnings []string
	for _, f := range fields {
		from, to := f.text(&live), f.text(&s.target)
		if from == to {
			continue
		}
		s.change.Kind = ChangeUpdate
		s.change.Fields = append(s.change.Fields, FieldChange{Field: f.name, From: from, To: to})
		if f.fixed != nil && f.fixed(&live, &s.target) {
			s.conflict(Conflict{Stream: want.Name, Field: f.name, Found: from, Want: to, Fixed: true})
		}
		if f.danger != nil {
			dangers = appendText(dangers, f.danger(&live, &s.target))
		}
		if f.warning != nil {
			warnings = appendText(warnings, f.warning(&live, &s.target))
		}
	}
	if len(dangers) > 0 {
		s.change.Danger = fmt.Sprintf("%s (the stream holds %d messages)", strings.Join(dangers, "; "), info.State.Msgs)
	}
	s.change.Warning = strings.Join(warnings, "; ")
	return s
}

func appendText(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

func (s *streamStep) conflict(c Conflict) {
	s.conflicts = append(s.conflicts, c)
	if s.change.Conflict != "" {
		s.change.Conflict += "; "
	}
	s.change.Conflict += c.reason() + ": " + c.remedy()
}

// subjectOverlaps are the other streams that take a wanted subject: the server stores
// no subject twice.
func subjectOverlaps(want *jetstream.StreamConfig, foreign []*jetstream.StreamInfo) []Conflict {
	var conflicts []Conflict
	for _, other := range foreign {
		for _, subject := range want.Subjects {
			for _, taken := range other.Config.Subjects {
				if subjectsCollide(subject, taken) {
					conflicts = append(conflicts, Conflict{
						Stream: want.Name, Field: "subjects", Found: taken, Want: subject, Other: other.Config.Name,
					})
				}
			}
		}
	}
	return conflicts
}

// apply makes the change and checks that the server made all of it.
func (s streamStep) apply(ctx context.Context, js jetstream.JetStream) error {
	var stream jetstream.Stream
	var err error
	switch s.change.Kind {
	case ChangeNone:
		return nil
	case ChangeCreate:
		if stream, err = js.CreateStream(ctx, s.target); err != nil {
			return createError(&s.target, err)
		}
	case ChangeUpdate:
		if stream, err = js.UpdateStream(ctx, s.target); err != nil {
			return fmt.Errorf("update stream %s: %w", s.target.Name, err)
		}
	}
	got := normalizedStream(stream.CachedInfo().Config)
	for _, f := range streamFields() {
		if found, want := f.text(&got), f.text(&s.target); found != want {
			return fmt.Errorf("%s stream %s: the server left %s at %s, want %s; it may be too old",
				s.change.Kind, s.target.Name, f.name, found, want)
		}
	}
	return nil
}
