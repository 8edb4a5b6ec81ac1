package bustest

import (
	"fmt"
	"sync"
	"testing"
)

// logger keeps the server's last complaint, and passes everything on to a test
// that asked for it.
type logger struct {
	tb testing.TB // nil: nobody asked

	mu        sync.Mutex
	complaint string // the last warning or error
}

func (l *logger) line(level, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	if level != "" {
		l.mu.Lock()
		l.complaint = level + ": " + text
		l.mu.Unlock()
	}
	if l.tb != nil {
		l.tb.Logf("nats-server: %s %s", level, text)
	}
}

// last returns the last complaint.
func (l *logger) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.complaint == "" {
		return "none"
	}
	return l.complaint
}

func (l *logger) Noticef(format string, args ...any) { l.line("", format, args) }
func (l *logger) Debugf(format string, args ...any)  { l.line("", format, args) }
func (l *logger) Tracef(format string, args ...any)  { l.line("", format, args) }
func (l *logger) Warnf(format string, args ...any)   { l.line("warning", format, args) }
func (l *logger) Errorf(format string, args ...any)  { l.line("error", format, args) }
func (l *logger) Fatalf(format string, args ...any)  { l.line("fatal", format, args) }
