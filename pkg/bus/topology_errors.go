package bus

import (
	"fmt"
	"strings"
)

// namedProblems bounds how many streams an error's text names.
const namedProblems = 10

// A Conflict is one setting of a live stream that contradicts what is wanted.
type Conflict struct {
	Stream, Field, Found, Want string
	// Fixed: the server cannot change the setting in place.
	Fixed bool
	// Other is the stream that takes the subject Found, if that is the conflict.
	Other string
}

func (c Conflict) reason() string {
	if c.Other != "" {
		return fmt.Sprintf("%s is to take %s, but stream %s takes %s", c.Field, c.Want, c.Other, c.Found)
	}
	return fmt.Sprintf("%s is %s, want %s", c.Field, c.Found, c.Want)
}

func (c Conflict) remedy() string {
	switch {
	case c.Other != "":
		return "change the subjects of that stream or remove it"
	case c.Fixed:
		return "it cannot be changed in place: let the stream run empty or save it with `nats stream backup`, " +
			"remove it with `nats stream rm`, then run `genesis streams apply`"
	}
	return "`genesis streams apply` changes it"
}

// A ConflictError lists where live streams contradict what is wanted.
type ConflictError struct {
	Conflicts []Conflict
}

// Error names the first few conflicts, each with stream, setting, what was
// found, what is wanted, and what to do.
func (e *ConflictError) Error() string {
	lines := make([]string, len(e.Conflicts))
	for i, c := range e.Conflicts {
		lines[i] = fmt.Sprintf("stream %s: %s (%s)", c.Stream, c.reason(), c.remedy())
	}
	return "streams contradict the contract: " + enumerateProblems(lines) + "; see `genesis streams plan`"
}

// A DangerError lists the changes that could lose messages and were not made.
type DangerError struct {
	Changes []Change
}

// Error names the first few changes with their reasons.
func (e *DangerError) Error() string {
	lines := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		lines[i] = fmt.Sprintf("stream %s: %s", c.Stream, c.Danger)
	}
	return "refused, because messages could be lost: " + enumerateProblems(lines) + "; nothing was changed; to do it all the same, apply with --force"
}

func enumerateProblems(lines []string) string {
	if more := len(lines) - namedProblems; more > 0 {
		lines = append(lines[:namedProblems:namedProblems], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}
