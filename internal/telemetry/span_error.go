package telemetry

import (
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// maxErrorText bounds the text of an error in a span.
const maxErrorText = 1024

// fail marks a span as failed. kind is the class of the error, one of a few.
func fail(span trace.Span, kind string, err error) {
	text := kind
	if err != nil {
		text = clip(err.Error())
		span.AddEvent("exception", trace.WithAttributes(
			semconv.ExceptionType(fmt.Sprintf("%T", err)), semconv.ExceptionMessage(text)))
	}
	span.SetStatus(codes.Error, text)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
}

// errorKind is what an error means to who may try again.
func errorKind(err error) string {
	switch {
	case errors.Is(err, resilience.ErrRejected):
		return "rejected"
	case errors.Is(err, resilience.ErrTimeout):
		return "timeout"
	case resilience.IsPermanent(err):
		return "permanent"
	}
	return "retryable"
}

// publishErrorKind is what an error of the bus means to who publishes.
func publishErrorKind(err error) string {
	for _, k := range []struct {
		is   error
		kind string
	}{
		{bus.ErrUnavailable, "unavailable"},
		{bus.ErrFull, "full"},
		{bus.ErrUnknownAgent, "unknown_agent"},
		{bus.ErrTooLarge, "too_large"},
		{bus.ErrExists, "exists"},
		{bus.ErrNotFound, "not_found"},
		{bus.ErrInvalid, "invalid"},
	} {
		if errors.Is(err, k.is) {
			return k.kind
		}
	}
	return Other
}

// clip shortens a text to what a span may hold of it.
func clip(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
