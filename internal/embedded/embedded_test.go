package embedded

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func begin(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start %+v: %v", o, err)
	}
	t.Cleanup(s.Stop)
	return s
}

func connectTo(t *testing.T, s *Server, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.URL(), opts...)
	if err != nil {
		t.Fatalf("connect to %s: %v", s.URL(), err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestWhatWasStoredIsThereAfterARestart(t *testing.T) {
	for _, d := range []Durability{Relaxed, Standard, Strict, ""} {
		t.Run("durability "+string(d), func(t *testing.T) {
			o := Options{Dir: filepath.Join(t.TempDir(), "new", "data"), Durability: d}
			s := begin(t, o)
			js := connectTo(t, s, nats.InProcessServer(s))
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "A", Subjects: []string{"a"}}); err != nil {
				t.Fatalf("create a stream: %v", err)
			}
			if _, err := js.Publish(t.Context(), "a", []byte("hello")); err != nil {
				t.Fatalf("publish: %v", err)
			}
			s.Stop()
			s.Stop() // again: nothing happens

			js = connectTo(t, begin(t, o))
			stream, err := js.Stream(t.Context(), "A")
			if err != nil {
				t.Fatalf("the stream after a restart: %v", err)
			}
			msg, err := stream.GetMsg(t.Context(), 1)
			if err != nil || string(msg.Data) != "hello" {
				t.Errorf("the message after a restart: got %v, %v; want hello", msg, err)
			}
		})
	}
}

func TestTheLargestRequestFitsWithItsHeaders(t *testing.T) {
	for _, want := range []int64{minPayload, 80 << 20} {
		js := connectTo(t, begin(t, Options{MaxPayload: int(want)}))
		if got := js.Conn().MaxPayload(); got != want {
			t.Errorf("max payload: got %d, want %d", got, want)
		}
	}
}

func TestTwoServersDoNotShareADirectory(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	first := begin(t, o)
	o.Addr = "127.0.0.1:0"
	second, err := Start(t.Context(), o)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || !strings.Contains(err.Error(), o.Dir) {
		t.Fatalf("a second server: got %v, %v; want a *LockedError with the directory and pid %d", second, err, os.Getpid())
	}
	if err := CheckDir(o.Dir); !errors.As(err, &locked) {
		t.Errorf("check the directory: got %v, want a *LockedError", err)
	}
	first.Stop()
	if err := CheckDir(o.Dir); err != nil {
		t.Errorf("check the directory after the end: got %v", err)
	}
	begin(t, o)
}

func TestALockLeftByADeadProcessDoesNotMatter(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(o.Dir, lockFile), []byte("999999999 of long ago"), 0o600); err != nil {
		t.Fatal(err)
	}
	begin(t, o)
}

func TestAMistakeIsToldAtOnce(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    Options
		is   error
		want string
	}{
		{"the port is taken", Options{Addr: taken.Addr().String()}, ErrAddressInUse, taken.Addr().String()},
		{"the address is public", Options{Addr: "0.0.0.0:4222"}, ErrNotLoopback, "0.0.0.0:4222"},
		{"every address is public", Options{Addr: ":4222"}, ErrNotLoopback, "on loopback only"},
		{"the address is a URL", Options{Addr: "nats://127.0.0.1:4222"}, ErrAddress, "use host:port"},
		{"the port is a word", Options{Addr: "127.0.0.1:nats"}, ErrAddress, "must be a number"},
		{"the directory is a file", Options{Dir: file}, ErrDir, file},
		{"the directory is below a file", Options{Dir: filepath.Join(file, "data")}, ErrDir, "is a file"},
		{"the directory cannot be written", Options{Dir: "/proc/genesis-data"}, ErrDir, "/proc/genesis-data"},
		{"no directory", Options{Dir: "-"}, ErrDir, "none is given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			switch tt.o.Dir {
			case "":
				tt.o.Dir = t.TempDir()
			case "-":
				tt.o.Dir = ""
			}
			if tt.o.Addr == "" {
				tt.o.Addr = "127.0.0.1:0"
			}
			began := time.Now()
			s, err := Start(t.Context(), tt.o)
			if err == nil {
				s.Stop()
				t.Fatalf("start %+v: got no error", tt.o)
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("start %+v: got %q, want it to be %v and to contain %q", tt.o, err, tt.is, tt.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("start %+v: told after %s", tt.o, took)
			}
		})
	}
}

func TestWhatIsWrongWithADirectoryIsToldInWords(t *testing.T) {
	for _, tt := range []struct {
		err, is error
		want    string
	}{
		{syscall.ENOSPC, ErrDiskFull, "the disk is full: data directory d"},
		{syscall.EDQUOT, ErrDiskFull, "the disk is full: data directory d"},
		{syscall.EACCES, ErrDir, "d is not writable"},
		{syscall.EROFS, ErrDir, "d is not writable"},
		{syscall.EIO, ErrDir, "the data directory cannot be used"},
	} {
		if got := dirError("d", tt.err); !errors.Is(got, tt.is) || !errors.Is(got, tt.err) || !strings.Contains(got.Error(), tt.want) {
			t.Errorf("%v: got %q, want it to be %v and to contain %q", tt.err, got, tt.is, tt.want)
		}
	}
}

func TestAServerThatDiesAtItsStartIsToldWithItsWords(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nats"), nil, 0o600); err != nil { // where its store should be
		t.Fatal(err)
	}
	began := time.Now()
	s, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0"})
	if err == nil {
		s.Stop()
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), "JetStream") || time.Since(began) > readyTimeout/2 {
		t.Errorf("got %q after %s; want the server's own words at once", err, time.Since(began))
	}
	if err := os.Remove(filepath.Join(dir, "nats")); err != nil {
		t.Fatal(err)
	}
	begin(t, Options{Dir: dir}) // the lock was given back
}
