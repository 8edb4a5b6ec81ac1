package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// ChangeKind says what happens to a stream.
type ChangeKind string

// The kinds of a [Change].
const (
	ChangeCreate ChangeKind = "create"
	ChangeUpdate ChangeKind = "update"
	ChangeNone   ChangeKind = "none"
)

// A Change is what applying a wanted configuration does to one stream.
type Change struct {
	Stream string     `json:"stream"`
	Kind   ChangeKind `json:"kind"`
	// Fields are the settings of an update, in the order of their declaration.
	Fields []FieldChange `json:"fields,omitempty"`
	// Danger says why the update could lose messages; empty is safe.
	Danger string `json:"danger,omitempty"`
	// Warning is what an operator should know of a change that loses nothing.
	Warning string `json:"warning,omitempty"`
	// Conflict says why the change cannot be made at all; empty is possible.
	Conflict string `json:"conflict,omitempty"`
}

// A FieldChange is one setting, named by its key in the stream's JSON, with its
// values written for people.
type FieldChange struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// ApplyOptions are the options of [ApplyStreams].
type ApplyOptions struct {
	// Force makes changes that could lose messages.
	Force bool
}

// PlanStreams compares the wanted streams with those on the server and returns
// one change for each, in the order wanted. It changes nothing.
//
// What want leaves open is the operator's and is kept as it is found: limits of
// -1 on messages and bytes, placement, republishing, compression, the first
// sequence, an empty description, and any metadata of their own.
//
// A change is dangerous when it could lose messages that the stream holds, or
// ones that it would have stored: a smaller max_age or max_msgs_per_subject; a
// smaller max_msgs or max_bytes unless discard is new, when the server removes
// nothing and only refuses more; a subject or a source less; discard new to old;
// discard_new_per_subject off; no_ack on; retention to interest. Whether a limit
// is reached at the moment makes no difference.
//
// The server is asked for its streams in pages, not one by one.
func PlanStreams(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig) ([]Change, error) {
	steps, err := planSteps(ctx, js, want)
	if err != nil {
		return nil, err
	}
	return changesOf(steps), nil
}

// ApplyStreams makes the streams on the server as wanted and returns what it
// changed; unchanged streams are listed as well. Applying twice changes nothing
// the second time.
//
// It returns a [*ConflictError] when a change cannot be made, even with Force,
// and a [*DangerError] when one could lose messages and Force is not set; then
// nothing was changed, and the changes are the plan. After any other error the
// changes are those that were made before it.
func ApplyStreams(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig, o ApplyOptions) ([]Change, error) {
	steps, err := planSteps(ctx, js, want)
	if err != nil {
		return nil, err
	}
	var conflicts []Conflict
	var dangers []Change
	for _, s := range steps {
		conflicts = append(conflicts, s.conflicts...)
		if s.change.Danger != "" {
			dangers = append(dangers, s.change)
		}
	}
	if len(conflicts) > 0 {
		return changesOf(steps), &ConflictError{Conflicts: conflicts}
	}
	if len(dangers) > 0 && !o.Force {
		return changesOf(steps), &DangerError{Changes: dangers}
	}
	// Updates go first: one may free a subject that a new stream takes.
	done := make([]bool, len(steps))
	for _, kind := range []ChangeKind{ChangeNone, ChangeUpdate, ChangeCreate} {
		for i, s := range steps {
			if s.change.Kind != kind {
				continue
			}
			if err := s.apply(ctx, js); err != nil {
				return madeOf(steps, done), err
			}
			done[i] = true
		}
	}
	return changesOf(steps), nil
}

// EnsureStreams is for the start of a program: it creates the streams that are
// missing and checks the others. Programs that start together may call it at
// once.
//
// It returns a [*ConflictError] when a live stream contradicts the contract; it
// never changes one. Differences that an operator may choose are tolerated:
// replicas, max_msgs, max_bytes, max_consumers, a larger max_age or
// max_msg_size, the duplicate window, placement, republishing, compression,
// description and metadata, and abilities that want does not ask for (direct
// gets, batches).
func EnsureStreams(ctx context.Context, js jetstream.JetStream, want []jetstream.StreamConfig) error {
	steps, err := planSteps(ctx, js, want)
	if err != nil {
		return err
	}
	var conflicts []Conflict
	for _, s := range steps {
		if s.live != nil {
			conflicts = append(conflicts, contradictions(s.live, &s.target)...)
		} else {
			conflicts = append(conflicts, s.conflicts...)
		}
	}
	if len(conflicts) > 0 {
		return &ConflictError{Conflicts: conflicts}
	}
	for _, s := range steps {
		if s.live != nil {
			continue
		}
		if err := ensureCreated(ctx, js, s.target); err != nil {
			return err
		}
	}
	return nil
}

// ensureCreated creates a stream, or checks the one that another program has
// created meanwhile.
func ensureCreated(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	stream, err := js.CreateStream(ctx, want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		stream, err = js.Stream(ctx, want.Name)
	}
	if err != nil {
		return createError(&want, err)
	}
	// A server that is too old ignores what it does not know.
	got := normalizedStream(stream.CachedInfo().Config)
	if conflicts := contradictions(&got, &want); len(conflicts) > 0 {
		return &ConflictError{Conflicts: conflicts}
	}
	return nil
}

// createError says what to do about a stream that the server refuses.
func createError(want *jetstream.StreamConfig, err error) error {
	if want.Replicas > 1 {
		return fmt.Errorf("create stream %s on %d servers (nats.replicas must not be more than the cluster's JetStream servers): %w",
			want.Name, want.Replicas, err)
	}
	return fmt.Errorf("create stream %s: %w", want.Name, err)
}
