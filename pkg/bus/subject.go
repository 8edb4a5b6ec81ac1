package bus

import (
	"fmt"
	"strings"
)

// Prefixes of the subjects of the wire contract.
const (
	requestPrefix    = "genesis.requests."
	resultPrefix     = "genesis.results."
	deadLetterPrefix = "genesis.dlq."
	replyPrefix      = "genesis.replies."
	controlPrefix    = "genesis.control."
)

// Names of the streams of the wire contract.
const (
	StreamResults     = "GENESIS_RESULTS"
	StreamDeadLetters = "GENESIS_DLQ"

	requestStreamPrefix = "GENESIS_REQUESTS_"
)

// AnonymousID is the id token of a request that leaves its naming to Genesis.
const AnonymousID = "-"

const (
	maxAgentName = 32
	maxID        = 64
)

// A Lane is one of the two queues of an agent. Interactive work is never kept
// waiting for more than one execution of batch work.
type Lane string

// The lanes. The zero value is not a lane.
const (
	LaneInteractive Lane = "interactive"
	LaneBatch       Lane = "batch"
)

// Lanes lists the lanes, the more urgent first.
func Lanes() []Lane { return []Lane{LaneInteractive, LaneBatch} }

// ParseLane reads a lane's name; the empty string means interactive.
func ParseLane(s string) (Lane, error) {
	switch Lane(s) {
	case "", LaneInteractive:
		return LaneInteractive, nil
	case LaneBatch:
		return LaneBatch, nil
	}
	return "", fmt.Errorf("%w: unknown lane %q: use interactive or batch", ErrInvalid, s)
}

// ValidAgent reports whether name can name an agent: a lower-case letter, then
// up to 31 lower-case letters, digits and dashes. Its error wraps [ErrInvalid].
func ValidAgent(name string) error {
	if name == "" || len(name) > maxAgentName || name[0] < 'a' || name[0] > 'z' {
		return invalidAgent(name)
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return invalidAgent(name)
		}
	}
	return nil
}

func invalidAgent(name string) error {
	return fmt.Errorf("%w: agent name %q: use a lower-case letter, then up to %d lower-case letters, digits or dashes",
		ErrInvalid, clip(name), maxAgentName-1)
}

// ValidID reports whether id can be a request's id: 1 to 64 letters, digits,
// underscores and dashes, and not "-" alone. Its error wraps [ErrInvalid].
func ValidID(id string) error {
	if id == "" || len(id) > maxID || id == AnonymousID {
		return invalidID(id)
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return invalidID(id)
		}
	}
	return nil
}

func invalidID(id string) error {
	return fmt.Errorf("%w: request id %q: use 1 to %d letters, digits, underscores or dashes, and not %q alone",
		ErrInvalid, clip(id), maxID, AnonymousID)
}

func clip(s string) string {
	if len(s) <= 2*maxID {
		return s
	}
	return s[:2*maxID] + "..."
}

// RequestSubject is the long form of a request's subject.
func RequestSubject(agent string, lane Lane, id string) string {
	return requestPrefix + agent + "." + string(lane) + "." + id
}

// RequestStream names the work queue of an agent.
func RequestStream(agent string) string { return requestStreamPrefix + agent }

// AgentOfStream is the agent whose work queue the stream is, if it is one.
func AgentOfStream(stream string) (string, bool) {
	agent, ok := strings.CutPrefix(stream, requestStreamPrefix)
	return agent, ok && ValidAgent(agent) == nil
}

// ResultSubject is where the result of a request is stored.
func ResultSubject(agent, id string) string { return resultPrefix + agent + "." + id }

// DeadLetterSubject is where the dead letter of a request is stored.
func DeadLetterSubject(agent, id string) string { return deadLetterPrefix + agent + "." + id }

// ReplySubject is where a gateway replica listens for the hint that the result
// of a request is there.
func ReplySubject(gateway, id string) string { return replyPrefix + gateway + "." + id }

// ControlSubject is the subject of an operator's command to a component.
func ControlSubject(component, verb string) string { return controlPrefix + component + "." + verb }

// replyAllowed reports whether a worker may publish a result to subject: a
// request must not be able to make it publish anywhere else.
func replyAllowed(subject string) bool {
	if !strings.HasPrefix(subject, "_INBOX.") && !strings.HasPrefix(subject, replyPrefix) {
		return false
	}
	if len(subject) > 256 || strings.HasSuffix(subject, ".") || strings.Contains(subject, "..") {
		return false
	}
	return !strings.ContainsAny(subject, "*> \t\r\n\x00")
}

// parseRequestSubject splits the long form of a request's subject. The id is
// returned as it stands: it may be [AnonymousID] or not match the pattern.
func parseRequestSubject(subject string) (agent string, lane Lane, id string, err error) {
	rest, ok := strings.CutPrefix(subject, requestPrefix)
	if !ok {
		return "", "", "", fmt.Errorf("%w: subject %q is not below %q", ErrInvalid, clip(subject), requestPrefix)
	}
	agent, rest, ok = strings.Cut(rest, ".")
	if err := ValidAgent(agent); err != nil {
		return "", "", "", err
	}
	if !ok { // the short form
		return agent, LaneInteractive, AnonymousID, nil
	}
	name, id, ok := strings.Cut(rest, ".")
	if !ok || id == "" || strings.Contains(id, ".") {
		return "", "", "", fmt.Errorf("%w: subject %q: want %s<agent>.<lane>.<id>", ErrInvalid, clip(subject), requestPrefix)
	}
	if name == "" {
		return "", "", "", fmt.Errorf("%w: subject %q names no lane", ErrInvalid, clip(subject))
	}
	lane, err = ParseLane(name)
	return agent, lane, id, err
}

// parseStoredSubject splits the subject of a result or a dead letter.
func parseStoredSubject(prefix, subject string) (agent, id string, err error) {
	rest, ok := strings.CutPrefix(subject, prefix)
	if !ok {
		return "", "", fmt.Errorf("%w: subject %q is not below %q", ErrInvalid, clip(subject), prefix)
	}
	agent, id, ok = strings.Cut(rest, ".")
	if !ok {
		return "", "", fmt.Errorf("%w: subject %q has no id", ErrInvalid, clip(subject))
	}
	if err := ValidAgent(agent); err != nil {
		return "", "", err
	}
	return agent, id, ValidID(id)
}
