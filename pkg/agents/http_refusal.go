package agents

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"genesis/pkg/resilience"
)

const (
	// maxRetryAfter bounds the Retry-After of a server.
	maxRetryAfter = time.Hour

	// quoted is how much of a refusal's body an error shows.
	quoted = 200

	// readRefusal is how much of a refusal's body is read. It is more than is
	// shown, because a connection whose body was read to its end can be reused.
	readRefusal = 4 << 10
)

// refusal is the verdict of a response that is no answer.
func refusal(r *http.Response) error {
	err := describe(r)
	switch {
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooEarly,
		r.StatusCode == http.StatusTooManyRequests:
	case r.StatusCode >= 300 && r.StatusCode <= 499:
		return resilience.Permanent(err)
	}
	if wait, asked := retryAfter(r.Header.Get("Retry-After")); asked {
		return resilience.RetryAfter(err, wait)
	}
	return err
}

// describe says the status, where a redirect leads, and how the body begins.
func describe(r *http.Response) error {
	said := strings.TrimSpace(strconv.Itoa(r.StatusCode) + " " + http.StatusText(r.StatusCode))
	if r.StatusCode >= 300 && r.StatusCode <= 399 {
		if to := r.Header.Get("Location"); to != "" {
			said += fmt.Sprintf(" to %s: redirects are not followed", quote([]byte(to)))
		} else {
			said += ": redirects are not followed"
		}
	}
	// The status is the verdict, whether or not the body can be read.
	body, _ := io.ReadAll(io.LimitReader(r.Body, readRefusal))
	if len(body) > 0 {
		said += ": " + quote(body)
	}
	return fmt.Errorf("status %s", said)
}

// quote returns the first bytes of what a server sent as one safe line.
func quote(b []byte) string {
	return strconv.Quote(strings.ToValidUTF8(string(b[:min(len(b), quoted)]), ""))
}

// retryAfter reads a Retry-After header, seconds or an HTTP date. A time that
// has passed, 0 included, asks for nothing: the delivery policy's delay applies.
func retryAfter(value string) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || isDigits(value) {
		if err != nil { // more seconds than a number can hold
			return maxRetryAfter, true
		}
		wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = min(time.Until(date), maxRetryAfter)
	}
	return max(wait, 0), wait > 0
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
