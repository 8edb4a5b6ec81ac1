package agents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The ways a probe can fail.
const (
	failRetryable = "retryable"
	failPermanent = "permanent"
	failPanic     = "panic"
)

// What a probe may be asked for at most.
const (
	maxProbeSleep  = 24 * time.Hour
	maxProbeOutput = 8 << 20
	maxProbeFails  = 1 << 30
)

// shown is how many characters of a wrong key or value an error repeats.
const shown = 40

// probeOrders is a probe's input.
type probeOrders struct {
	sleep       time.Duration
	fail        string
	failTimes   int
	limited     bool // fail_times was given; 0 is a limit too
	exit        bool
	outputBytes int
}

// parseProbe reads a probe's input strictly. Its errors name the key.
func parseProbe(input json.RawMessage) (probeOrders, error) {
	var o probeOrders
	if len(input) == 0 {
		return o, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(input, &keys); err != nil {
		return o, fmt.Errorf("input is not a JSON object: %w", err)
	}
	// In order, so that of two mistakes the same one is always named.
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := o.set(key, keys[key]); err != nil {
			return o, fmt.Errorf("input key %q: %w", firstRunes(key, shown), err)
		}
	}
	return o, nil
}

func (o *probeOrders) set(key string, value json.RawMessage) error {
	var err error
	switch key {
	case "sleep_ms":
		var ms int
		ms, err = wholeNumber(value, int(maxProbeSleep.Milliseconds()))
		o.sleep = time.Duration(ms) * time.Millisecond
	case "fail":
		o.fail, err = oneOf(value, failRetryable, failPermanent, failPanic)
	case "fail_times":
		o.limited = true
		o.failTimes, err = wholeNumber(value, maxProbeFails)
	case "exit":
		o.exit, err = truth(value)
	case "output_bytes":
		o.outputBytes, err = wholeNumber(value, maxProbeOutput)
	default:
		err = errors.New("unknown; known are sleep_ms, fail, fail_times, exit and output_bytes")
	}
	return err
}

func wholeNumber(value json.RawMessage, most int) (int, error) {
	var n *int
	if err := json.Unmarshal(value, &n); err != nil || n == nil || *n < 0 || *n > most {
		return 0, fmt.Errorf("got %s, want a whole number from 0 to %d", show(value), most)
	}
	return *n, nil
}

func truth(value json.RawMessage) (bool, error) {
	var b *bool
	if err := json.Unmarshal(value, &b); err != nil || b == nil {
		return false, fmt.Errorf("got %s, want true or false", show(value))
	}
	return *b, nil
}

// show returns the beginning of value on one line.
func show(value json.RawMessage) string {
	var line bytes.Buffer
	_ = json.Compact(&line, value) // it was decoded once, so it is valid
	return firstRunes(line.String(), shown)
}

// oneOf accepts the empty string for none of them.
func oneOf(value json.RawMessage, names ...string) (string, error) {
	var s *string
	if err := json.Unmarshal(value, &s); err != nil || s == nil || (*s != "" && !slices.Contains(names, *s)) {
		return "", fmt.Errorf("got %s, want one of %q", show(value), names)
	}
	return *s, nil
}
