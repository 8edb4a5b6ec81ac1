package health

import (
	"fmt"

	"genesis/pkg/bus"
)

// checkStreamFull finds streams that will soon refuse what comes. One that drops its
// oldest message instead is never full.
func checkStreamFull(s Snapshot, t Thresholds) []Finding {
	var found []Finding
	for name, st := range s.streamsJudged() {
		if st.DiscardOld || s.streamDown(name) {
			continue
		}
		limits := t.Every
		if user, is := bus.AgentOfStream(name); is {
			limits = t.Of(user)
		}
		if f, ok := measured(stream(name), st.Full(), limits.StreamFull, share, func() string { return fullness(&st) }); ok {
			f.Affects = s.users(name)
			found = append(found, f)
		}
	}
	return found
}

// fullness says how full a stream is, by its tightest limit.
func fullness(st *Stream) string {
	if st.MaxMessages > 0 && float64(st.Messages)/float64(st.MaxMessages) >= st.Full() {
		return fmt.Sprintf("it is full to %s: %d of %d messages", share(st.Full()), st.Messages, st.MaxMessages)
	}
	return fmt.Sprintf("it is full to %s: %d of %d bytes", share(st.Full()), st.Bytes, st.MaxBytes)
}
