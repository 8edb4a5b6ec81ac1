package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// logger hands the server's log on, and keeps what a failed start has to tell.
type logger struct {
	log *slog.Logger

	mu        sync.Mutex
	died      error // the fatal message
	complaint error // the last warning or error
}

func newLogger(log *slog.Logger) *logger { return &logger{log: log} }

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}

func (l *logger) last() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.complaint
}

func (l *logger) note(format string, args []any) string {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complaint = errors.New(text)
	return text
}

// Noticef passes on what tells of the server's daily life.
func (l *logger) Noticef(format string, args ...any) {
	l.log.Debug("NATS server", "message", fmt.Sprintf(format, args...))
}

// Debugf is not called: the server is told so.
func (l *logger) Debugf(string, ...any) {}

// Tracef is not called: the server is told so.
func (l *logger) Tracef(string, ...any) {}

// Warnf passes a warning on.
func (l *logger) Warnf(format string, args ...any) {
	l.log.Warn("NATS server", "message", l.note(format, args))
}

// Errorf passes an error on.
func (l *logger) Errorf(format string, args ...any) {
	l.log.Error("NATS server", "message", l.note(format, args))
}

// Fatalf keeps what stops a start. Unlike the server's own logger it does not end
// the process.
func (l *logger) Fatalf(format string, args ...any) {
	text := l.note(format, args)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.died == nil {
		l.died = errors.New(text)
	}
}
