package program

import (
	"bytes"
	"errors"
	"runtime/debug"
	"strings"
	"testing"
)

func TestListenSaysWhatToDo(t *testing.T) {
	l, err := Listen("127.0.0.1:0", "--http")
	if err != nil {
		t.Fatalf("a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	if strings.HasSuffix(taken, ":0") {
		t.Errorf("address: got %s, want the port that was taken", taken)
	}
	for _, tt := range []struct{ name, addr, want string }{
		{"the port is taken", taken, "another program listens there"},
		{"the address is another machine's", "192.0.2.1:0", "this machine does not have that address"},
		{"the address is none", "127.0.0.1:http-alternative", "check the address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Listen(tt.addr, "--http")
			if err == nil {
				_ = l.Close()
				t.Fatalf("listen on %s: got no error", tt.addr)
			}
			got := err.Error()
			if !strings.Contains(got, tt.want) || !strings.Contains(got, "--http") || strings.Count(got, tt.addr) != 1 {
				t.Errorf("listen on %s: got %q, want it to name the address once, --http and %q", tt.addr, got, tt.want)
			}
		})
	}
}

func TestTheLogIsJSONBelowTheLevel(t *testing.T) {
	for _, tt := range []struct {
		level string
		want  string
	}{
		{"", "info warn"},
		{"debug", "debug info warn"},
		{"WARN", "warn"},
	} {
		var buf bytes.Buffer
		log, err := Logger(&buf, func(string) (string, bool) { return tt.level, true })
		if err != nil {
			t.Fatalf("level %q: %v", tt.level, err)
		}
		log.Debug("debug")
		log.Info("info")
		log.Warn("warn")
		var got []string
		for line := range strings.Lines(buf.String()) {
			_, rest, _ := strings.Cut(line, `"msg":"`)
			msg, _, _ := strings.Cut(rest, `"`)
			got = append(got, msg)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("level %q: got %q, want %s", tt.level, got, tt.want)
		}
	}
}

func TestTheVersionIsThatOfTheBuild(t *testing.T) {
	for _, tt := range []struct{ module, want string }{
		{"", "dev"}, {"(devel)", "dev"}, {"v1.2.3", "1.2.3"}, {"v0.0.0-20260101000000-abcdef123456+dirty", "0.0.0-20260101000000-abcdef123456+dirty"},
	} {
		if got := readVersion(&debug.BuildInfo{Main: debug.Module{Version: tt.module}}); got != tt.want {
			t.Errorf("module version %q: got %q, want %q", tt.module, got, tt.want)
		}
	}
}

func TestUsageIsSeenThroughWrapping(t *testing.T) {
	if Usage(nil) != nil {
		t.Error("Usage(nil): got an error")
	}
	cause := errors.New("no such agent")
	err := Usage(cause)
	if !errors.Is(err, ErrUsage) || !errors.Is(err, cause) || err.Error() != "no such agent" {
		t.Errorf("got %q", err)
	}
	if got := ExitCode(errors.Join(errors.New("a"), err)); got != ExitUsage {
		t.Errorf("exit code: got %d, want %d", got, ExitUsage)
	}
}
