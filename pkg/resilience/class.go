package resilience

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Class is a set of errors: it says whether an error belongs to it.
type Class func(error) bool

// ErrorsLike is the class of the errors that errors.Is finds one of targets in.
func ErrorsLike(targets ...error) Class {
	return func(err error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
}

// ErrorsOfType is the class of the errors that errors.As finds an E in.
func ErrorsOfType[E error]() Class {
	return func(err error) bool {
		var e E
		return errors.As(err, &e)
	}
}

// AnyError is the class of all errors.
func AnyError(err error) bool { return err != nil }

// TimedOut is the class of the errors that say that time ran out: [ErrTimeout],
// [ErrDeadline], a context's or a connection's deadline.
func TimedOut(err error) bool {
	var timed net.Error
	return errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

// ConnectionFailed is the class of the errors of a connection: refused, reset,
// aborted, cut off, no route, no such host.
func ConnectionFailed(err error) bool {
	var (
		operation *net.OpError
		lookup    *net.DNSError
	)
	if errors.As(err, &operation) || errors.As(err, &lookup) {
		return true
	}
	return ErrorsLike(
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.EPIPE, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ENOTCONN,
	)(err)
}

// Rejected is the class of the errors that match [ErrRejected].
func Rejected(err error) bool { return errors.Is(err, ErrRejected) }

// Canceled is the class of the errors of a canceled context.
func Canceled(err error) bool { return errors.Is(err, context.Canceled) }

// asksToWait is the class of the errors that name a time to come back.
func asksToWait(err error) bool {
	_, asks := RetryDelay(err)
	return asks
}

// ClassNames returns the names [ParseClass] knows.
func ClassNames() []string {
	return []string{"any", "timeout", "connection", "rejected", "permanent", "retry_after", "canceled"}
}

// ParseClass returns the class of that name, as a configuration spells it.
func ParseClass(name string) (Class, error) {
	switch name {
	case "any":
		return AnyError, nil
	case "timeout":
		return TimedOut, nil
	case "connection":
		return ConnectionFailed, nil
	case "rejected":
		return Rejected, nil
	case "permanent":
		return IsPermanent, nil
	case "retry_after":
		return asksToWait, nil
	case "canceled":
		return Canceled, nil
	}
	return nil, fmt.Errorf("unknown error class %q; known are %s", name, strings.Join(ClassNames(), ", "))
}

// ParseClasses returns the classes of those names, or all unknown ones.
func ParseClasses(names ...string) ([]Class, error) {
	var (
		classes []Class
		errs    []error
	)
	for _, name := range names {
		class, err := ParseClass(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		classes = append(classes, class)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return classes, nil
}

func inAny(classes []Class, err error) bool {
	for _, class := range classes {
		if class(err) {
			return true
		}
	}
	return false
}
