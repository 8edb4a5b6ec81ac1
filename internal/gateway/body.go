package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"genesis/internal/config"
)

// prealloc bounds what a client's word on the length of its body is worth.
const prealloc = 64 << 10

// checkBody refuses what is not worth reading: not JSON, or too large by its own word.
func checkBody(r *http.Request, limit int64) error {
	if err := checkContentType(r.Header); err != nil {
		return err
	}
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	return nil
}

func checkContentType(h http.Header) error {
	const advice = "send the request as application/json (curl: -H 'Content-Type: application/json')"
	text := h.Get("Content-Type")
	if text == "" {
		return refuse(kindMediaType, "the body has no Content-Type: %s", advice)
	}
	media, params, err := mime.ParseMediaType(text)
	if err != nil || media != "application/json" {
		return refuse(kindMediaType, "the body is %s: %s", quote(text), advice)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(kindMediaType, "the body's charset is %s: JSON is UTF-8", quote(charset))
	}
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(kindMediaType, "the body's Content-Encoding is %s: send it as it is", quote(coding))
	}
	return nil
}

// readBody reads the body, and no more than limit of it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, prealloc)) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		return buf.Bytes(), nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(limit)
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, refuse(kindSlow, "the body did not arrive in time: send it again").because(err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, refuse(kindInvalid, "the body is shorter than it was said to be: send it again").because(err)
	}
	return nil, refuse(kindInvalid, "the body could not be read: send it again").because(err)
}

func tooLarge(limit int64) *problemError {
	return refuse(kindTooLarge, "the body may have at most %s: send less, or a reference to it", config.Size(limit))
}
