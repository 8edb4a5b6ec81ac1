package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// liveStreams lists the server's streams by name.
func liveStreams(ctx context.Context, js jetstream.JetStream, want map[string]bool) (map[string]*jetstream.StreamInfo, error) {
	live := make(map[string]*jetstream.StreamInfo)
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		live[info.Config.Name] = info
	}
	if err := listError(list.Err()); err != nil {
		return nil, err
	}
	missing := false
	for name := range want {
		missing = missing || live[name] == nil
	}
	if !missing {
		return live, nil
	}
	// A cluster leaves out of the list the streams whose leader did not answer in
	// time, but knows all names.
	names := js.StreamNames(ctx)
	var silent []string
	for name := range names.Name() {
		if want[name] && live[name] == nil {
			silent = append(silent, name)
		}
	}
	if err := listError(names.Err()); err != nil {
		return nil, err
	}
	for _, name := range silent {
		stream, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		live[name] = stream.CachedInfo()
	}
	return live, nil
}

// listError is what is left of a listing's error when its end is none.
func listError(err error) error {
	if errors.Is(err, jetstream.ErrEndOfData) {
		return nil
	}
	return err
}
