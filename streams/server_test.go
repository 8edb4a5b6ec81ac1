package streams

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"genesis/pkg/bus/bustest"
)

// create renders the streams, and creates them from what was rendered.
func create(t *testing.T, js jetstream.JetStream, o Options) {
	t.Helper()
	all, err := Load(o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	paths, err := RenderDir(filepath.Join(t.TempDir(), "a", "b"), all...)
	if err != nil {
		t.Fatalf("RenderDir: %v", err)
	}
	if len(paths) != len(all) {
		t.Fatalf("files: got %d, want %d", len(paths), len(all))
	}
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := bustest.CheckStream(text); err != nil {
			t.Errorf("%s: %v in:\n%s", path, err, text)
		}
		var out bytes.Buffer
		if err := Render(&out, all[i]); err != nil || !bytes.Equal(out.Bytes(), text) {
			t.Errorf("Render of %s: got %s (%v), want the file's text", all[i].Name, out.Bytes(), err)
		}
		var cfg jetstream.StreamConfig
		if err := json.Unmarshal(text, &cfg); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Errorf("create %s: %v", cfg.Name, err)
		}
	}
}

func TestTheServerAcceptsWhatIsRendered(t *testing.T) {
	s := bustest.Start(t)
	js := s.JetStream(t)
	create(t, js, Options{Agents: map[string]AgentOptions{"echo": {}, "probe": {MaxPending: 1}}})

	for subject, stored := range map[string]string{
		"genesis.requests.echo":                "genesis.requests.echo.interactive.-",
		"genesis.requests.echo.interactive.a1": "genesis.requests.echo.interactive.a1",
		"genesis.requests.echo.batch.a2":       "genesis.requests.echo.batch.a2",
	} {
		if _, err := js.Publish(t.Context(), subject, []byte("{}")); err != nil {
			t.Errorf("publish to %s: %v", subject, err)
			continue
		}
		stream, err := js.Stream(t.Context(), "GENESIS_REQUESTS_echo")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.GetLastMsgForSubject(t.Context(), stored); err != nil {
			t.Errorf("%s is not stored as %s: %v", subject, stored, err)
		}
	}
	if _, err := js.Publish(t.Context(), "genesis.requests.probe", nil); err != nil {
		t.Errorf("first request: %v", err)
	}
	if _, err := js.Publish(t.Context(), "genesis.requests.probe", nil); err == nil {
		t.Error("a request beyond max_pending: got no error")
	}
}

func TestTheFirstResultWinsAndAReplayMayReplaceIt(t *testing.T) {
	js := bustest.Start(t).JetStream(t)
	create(t, js, Options{})
	const subject = "genesis.results.echo.a1"
	first, err := js.Publish(t.Context(), subject, []byte("1"), jetstream.WithExpectLastSequencePerSubject(0))
	if err != nil {
		t.Fatalf("first result: %v", err)
	}
	if _, err := js.Publish(t.Context(), subject, []byte("2"), jetstream.WithExpectLastSequencePerSubject(0)); err == nil {
		t.Error("second result: got no error")
	}
	if _, err := js.Publish(t.Context(), subject, []byte("3"), jetstream.WithExpectLastSequencePerSubject(first.Sequence)); err != nil {
		t.Errorf("a replay's result: %v", err)
	}
}

func TestNothingOfTheAuditCanBeRemoved(t *testing.T) {
	js := bustest.Start(t).JetStream(t)
	create(t, js, Options{})
	ack, err := js.Publish(t.Context(), "genesis.audit.replay", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	audit, err := js.Stream(t.Context(), "GENESIS_AUDIT")
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.DeleteMsg(t.Context(), ack.Sequence); err == nil {
		t.Error("delete: got no error")
	}
	if err := audit.Purge(t.Context()); err == nil {
		t.Error("purge: got no error")
	}
}

func TestBucketsAreWhatTheClientWouldCreate(t *testing.T) {
	js := bustest.Start(t).JetStream(t)
	create(t, js, Options{})
	for _, tt := range []struct {
		cfg jetstream.KeyValueConfig
	}{
		{jetstream.KeyValueConfig{Bucket: "genesis_flags", History: 5}},
		{jetstream.KeyValueConfig{Bucket: "genesis_leases", LimitMarkerTTL: time.Minute}},
		{jetstream.KeyValueConfig{Bucket: "genesis_cache", LimitMarkerTTL: time.Minute}},
		{jetstream.KeyValueConfig{Bucket: "genesis_attempts", TTL: 30 * 24 * time.Hour}},
		{jetstream.KeyValueConfig{Bucket: "genesis_breakers", LimitMarkerTTL: time.Minute}},
		{jetstream.KeyValueConfig{Bucket: "genesis_chaos"}},
		{jetstream.KeyValueConfig{Bucket: "genesis_recovery"}},
	} {
		t.Run(tt.cfg.Bucket, func(t *testing.T) {
			kv, err := js.KeyValue(t.Context(), tt.cfg.Bucket)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			stream, err := js.Stream(t.Context(), "KV_"+tt.cfg.Bucket)
			if err != nil {
				t.Fatal(err)
			}
			// The server answers "already in use" to a configuration that differs at all.
			tt.cfg.Description = stream.CachedInfo().Config.Description
			if _, err := js.CreateKeyValue(t.Context(), tt.cfg); err != nil {
				t.Errorf("create again: %v", err)
			}
			watch, err := kv.Watch(t.Context(), "k")
			if err != nil {
				t.Fatalf("watch: %v", err)
			}
			defer watch.Stop() //nolint:errcheck // the connection goes next
			if _, err := kv.PutString(t.Context(), "k", "v"); err != nil {
				t.Fatalf("put: %v", err)
			}
			if e, err := kv.Get(t.Context(), "k"); err != nil || string(e.Value()) != "v" {
				t.Fatalf("get: got %v (%v), want v", e, err)
			}
			for e := range watch.Updates() {
				if e == nil { // what was there before
					continue
				}
				if string(e.Value()) != "v" {
					t.Errorf("watch: got %q, want v", e.Value())
				}
				break
			}
		})
	}
}
