package bus

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of the wire contract, and the few that Genesis adds for itself.
const (
	HeaderDeadline    = "Genesis-Deadline"    // RFC 3339; past it the request is not executed
	HeaderReplyTo     = "Genesis-Reply-To"    // the result is also sent there
	HeaderClient      = "Genesis-Client"      // who asked
	HeaderReplay      = "Genesis-Replay"      // how often an operator replayed it
	HeaderTraceparent = "traceparent"         // W3C trace context
	HeaderMsgID       = jsMsgID               // broker's deduplication id
	HeaderOriginTime  = "Genesis-Origin-Time" // when the request was stored, RFC 3339

	HeaderOriginStream   = "Genesis-Origin-Stream"
	HeaderOriginSequence = "Genesis-Origin-Sequence"
	HeaderOriginSubject  = "Genesis-Origin-Subject"
	// HeaderOriginEarlier lists the sequences, comma separated, that the same request had
	// before it was replayed, so that each of them stays accounted for.
	HeaderOriginEarlier = "Genesis-Origin-Earlier"

	// HeaderOriginMsgID keeps a request's Nats-Msg-Id in its dead letter when the broker
	// has seen that id on another dead letter, and would take this one for the same.
	HeaderOriginMsgID = "Genesis-Origin-Msg-Id"

	HeaderDeadReason      = "Genesis-Dead-Reason"
	HeaderDeadError       = "Genesis-Dead-Error"
	HeaderDeadFingerprint = "Genesis-Dead-Fingerprint"
	HeaderDeadAttempts    = "Genesis-Dead-Attempts"
	HeaderDeadDeliveries  = "Genesis-Dead-Deliveries"
	HeaderDeadFirst       = "Genesis-Dead-First"
	HeaderDeadLast        = "Genesis-Dead-Last"
	HeaderDeadWorker      = "Genesis-Dead-Worker"

	// HeaderDigest is the digest of a request's content, kept with its result, so that a
	// repeated id can be told from the same id used for another request.
	HeaderDigest = "Genesis-Request-Digest"
	// HeaderNewID says that the publisher made the id for this one publish, so that
	// nothing can be stored under it yet.
	HeaderNewID = "Genesis-New-Id"

	jsMsgID = "Nats-Msg-Id"
)

// get reads a header whatever the case in which another client wrote its name.
func get(h nats.Header, key string) string {
	if v := h.Get(key); v != "" || len(h) == 0 {
		return v
	}
	for k, v := range h {
		if len(v) > 0 && len(k) == len(key) && strings.EqualFold(k, key) {
			return v[0]
		}
	}
	return ""
}

// requestHeaders are the headers of a request that Genesis reads.
type requestHeaders struct {
	deadline, replyTo, client, traceparent, replay, earlier, msgID, newID string
}

// readRequestHeaders reads them in one pass, whatever the case of their names.
func readRequestHeaders(h nats.Header) requestHeaders {
	var r requestHeaders
	for k, v := range h {
		if len(v) == 0 {
			continue
		}
		for _, known := range [...]struct {
			name  string
			value *string
		}{
			{HeaderDeadline, &r.deadline},
			{HeaderReplyTo, &r.replyTo},
			{HeaderClient, &r.client},
			{HeaderTraceparent, &r.traceparent},
			{HeaderReplay, &r.replay},
			{HeaderOriginEarlier, &r.earlier},
			{HeaderMsgID, &r.msgID},
			{HeaderNewID, &r.newID},
		} {
			if len(k) == len(known.name) && strings.EqualFold(k, known.name) {
				*known.value = v[0]
				break
			}
		}
	}
	return r
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parseTime reads a time that Genesis wrote itself; anything else is the zero time.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func parseUint(s string) uint64 {
	if s == "" { // the common case; an error would be allocated
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func parseSequences(s string) []uint64 {
	if s == "" {
		return nil
	}
	var out []uint64
	for part := range strings.SplitSeq(s, ",") {
		if n := parseUint(strings.TrimSpace(part)); n > 0 {
			out = append(out, n)
		}
	}
	return out
}

func formatSequences(seqs []uint64) string {
	if len(seqs) == 0 {
		return ""
	}
	var b strings.Builder
	for i, s := range seqs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(s, 10))
	}
	return b.String()
}
