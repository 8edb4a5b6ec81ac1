package config

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDurationsPrintShortAndParseBack(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "45s": 45 * time.Second, "5m": 5 * time.Minute, "1m30s": 90 * time.Second, "10m": 10 * time.Minute,
		"1h": time.Hour, "24h": 24 * time.Hour, "1h10m": 70 * time.Minute, "500ms": 500 * time.Millisecond,
		"1h0m1s": time.Hour + time.Second, "-1m": -time.Minute,
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("String of %v: got %s, want %s", d, got, want)
		}
		var back Duration
		if err := back.UnmarshalText([]byte(want)); err != nil || back.Std() != d {
			t.Errorf("UnmarshalText of %s: got %v, %v, want %v", want, back, err, d)
		}
	}
}

func TestSizesPrintShortAndParseBack(t *testing.T) {
	for want, s := range map[string]Size{
		"0B": 0, "1023B": 1023, "1KiB": KiB, "1025B": 1025, "1MiB": MiB, "1536KiB": MiB + MiB/2, "3GiB": 3 * GiB, "9223372036854775807B": math.MaxInt64,
	} {
		if got := s.String(); got != want {
			t.Errorf("String of %d: got %s, want %s", int64(s), got, want)
		}
		var back Size
		if err := back.UnmarshalText([]byte(want)); err != nil || back != s {
			t.Errorf("UnmarshalText of %s: got %v, %v, want %v", want, back, err, s)
		}
	}
}

func TestBadSizes(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `"" is not a size; write for example 1MiB, 512KiB or 1048576`,
		"MiB":                    `"MiB" is not a size; write for example 1MiB, 512KiB or 1048576`,
		"1.5MiB":                 `"1.5MiB" is not a size; write for example 1MiB, 512KiB or 1048576`,
		"1k":                     `unknown unit "k"; did you mean "1KiB"?`,
		"1 gib":                  `unknown unit "gib"; did you mean "1GiB"?`,
		"1TiB":                   `unknown unit "TiB"; use KiB, MiB or GiB`,
		"9223372036854775807GiB": `"9223372036854775807GiB" is too large`,
		"9223372036854775808":    `"9223372036854775808" is not a size; write for example 1MiB, 512KiB or 1048576`,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("UnmarshalText of %q: got %v, want %s", text, err, want)
		}
	}
}

func TestReservedSlots(t *testing.T) {
	for _, tt := range []struct{ slots, reserved, want int }{
		{1, -1, 0}, {2, -1, 1}, {5, -1, 1}, {9, -1, 1}, {10, -1, 2}, {64, -1, 12}, {10, 0, 0}, {10, 9, 9},
	} {
		if got := (Agent{Slots: tt.slots, ReservedInteractive: tt.reserved}).ReservedSlots(); got != tt.want {
			t.Errorf("slots %d, reserved_interactive %d: got %d, want %d", tt.slots, tt.reserved, got, tt.want)
		}
	}
}

func TestRateLimitDepth(t *testing.T) {
	for _, tt := range []struct {
		limit   RateLimit
		enabled bool
		depth   int
	}{
		{RateLimit{}, false, 1},
		{RateLimit{RequestsPerSecond: 0.1}, true, 1},
		{RateLimit{RequestsPerSecond: 2.5}, true, 3},
		{RateLimit{RequestsPerSecond: 2.5, Burst: 9}, true, 9},
	} {
		if enabled, depth := tt.limit.Enabled(), tt.limit.Depth(); enabled != tt.enabled || depth != tt.depth {
			t.Errorf("%+v: got %t, %d, want %t, %d", tt.limit, enabled, depth, tt.enabled, tt.depth)
		}
	}
}

func TestNATSAddress(t *testing.T) {
	if n := (NATS{}); !n.Embedded() || n.Address() != LocalNATS {
		t.Errorf("empty url: got embedded %t, address %s, want true, %s", n.Embedded(), n.Address(), LocalNATS)
	}
	if n := (NATS{URL: "nats://h"}); n.Embedded() || n.Address() != "nats://h" {
		t.Errorf("url nats://h: got embedded %t, address %s, want false and the url", n.Embedded(), n.Address())
	}
}

func TestNearestName(t *testing.T) {
	known := []string{"slots", "timeout", "ack_wait", "max_pending", "max_delay", "environment"}
	for name, want := range map[string]string{
		"slotz": "slots", "slot": "slots", "solts": "slots", "time_out": "timeout", "ackWait": "ack_wait", "ACK-WAIT": "ack_wait",
		"env": "environment", "max": "", "zzz": "", "": "", "x": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest to %q: got %q, want %q", name, got, want)
		}
	}
}

func TestBuiltInAgentsAreNobodysConfiguration(t *testing.T) {
	c, err := Load("", nil)
	if err != nil || c.AgentsConfigured() {
		t.Errorf("without a file: got %v, %v, want false", c.AgentsConfigured(), err)
	}
	file := filepath.Join(t.TempDir(), "genesis.yaml")
	if err := os.WriteFile(file, []byte("agents: {mine: {ladder: [{rung: primary, provider: echo}]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = Load(file, nil)
	if err != nil || !c.AgentsConfigured() {
		t.Errorf("with agents in a file: got %v, %v, want true", c != nil && c.AgentsConfigured(), err)
	}
}
