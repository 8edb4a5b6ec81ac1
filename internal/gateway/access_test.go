package gateway

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"genesis/internal/config"
	"genesis/internal/keys"
	"genesis/pkg/bus/bustest"
)

// withKey makes a file of keys with one for the client "web".
func withKey(t testing.TB) (path, key string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys.json")
	store, err := keys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = store.Add("web"); err != nil {
		t.Fatal(err)
	}
	return path, key
}

func TestOutsideDevelopmentEveryCallNeedsAKey(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	path, key := withKey(t)
	g := start(t, s, configured(func(c *config.Config) {
		c.Environment, c.Gateway.KeysFile = config.Production, path
	}))
	work(t, g.bus, "echo", echo)
	calls := []call{post(requests, hi), get(requests + "/a"), remove(requests + "/a"), get("/v1/agents")}
	for _, c := range calls {
		for _, tt := range []struct{ name, field, want string }{
			{"no key", "X-Nothing: x", "no API key"},
			{"a wrong key", "Authorization: Bearer gk_" + strings.Repeat("A", 43), "not known"},
			{"a wrong key in the other field", "X-API-Key: nonsense", "not known"},
			{"another scheme", "Authorization: Basic " + key, "no API key"},
			{"the operator token", "Authorization: Bearer operator-token", "not known"},
		} {
			t.Run(c.method+" "+c.path+" with "+tt.name, func(t *testing.T) {
				with := c
				with.fields = append(slices.Clone(c.fields), tt.field)
				r := g.do(t, with)
				r.problem(t, http.StatusUnauthorized, tt.want)
				if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("WWW-Authenticate: got %q", r.header.Get("WWW-Authenticate"))
				}
			})
		}
	}
	for _, field := range []string{"Authorization: Bearer " + key, "authorization: bearer " + key, "X-API-Key: " + key} {
		r := g.do(t, post(requests, hi, field, "Prefer: wait=20"))
		if got := r.is(t, http.StatusOK)["output"].(map[string]any)["client"]; got != "web" {
			t.Errorf("%s: the worker sees client %q, want web", field[:15], got)
		}
		g.do(t, post(requests, hi, field, "Host: genesis.example.com")).is(t, http.StatusAccepted)
	}
	for _, path := range []string{"/status", "/health/live", "/health/ready", "/openapi.json"} {
		if r := g.do(t, get(path)); r.status != http.StatusOK {
			t.Errorf("GET %s without a key: got %d", path, r.status)
		}
	}
}

func TestOnLoopbackInDevelopmentNoKeyIsNeeded(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	path, key := withKey(t)
	for _, tt := range []struct {
		name, file string
	}{{"without a file", ""}, {"with a file", path}} {
		t.Run(tt.name, func(t *testing.T) {
			g := start(t, s, configured(func(c *config.Config) { c.Gateway.KeysFile = tt.file }))
			g.do(t, post(requests, hi)).is(t, http.StatusAccepted)
			g.do(t, post(requests, hi, "X-API-Key: gk_wrong")).problem(t, http.StatusUnauthorized, "not known")
			want := http.StatusUnauthorized
			if tt.file != "" {
				want = http.StatusAccepted
			}
			g.do(t, post(requests, hi, "X-API-Key: "+key)).is(t, want)
		})
	}
}

// A page in a browser on this machine can send calls to it, and by a name of its own
// that resolves to 127.0.0.1 it can even read the answers.
func TestABrowserIsNotAWayIn(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	g := start(t, s, configured())
	for _, tt := range []struct {
		name string
		call call
		want int
	}{
		{"a page of another origin", post(requests, hi, "Origin: https://evil.example"), 403},
		{"a browser that says so", post(requests, hi, "Sec-Fetch-Site: cross-site"), 403},
		{"a page that deletes", call{http.MethodDelete, requests + "/a", "", []string{"Sec-Fetch-Site: cross-site"}}, 403},
		{"a form, which needs no leave", call{http.MethodPost, requests, hi, []string{"Content-Type: text/plain"}}, 415},
		{"a name that resolves to this machine", post(requests, hi, "Host: evil.example:8080", "Origin: http://evil.example:8080"), 403},
		{"reading by such a name", get("/v1/agents", "Host: evil.example"), 403},
		{"its own page", post(requests, hi, "Host: localhost:8080", "Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"), 202},
		{"localhost", post(requests, hi, "Host: localhost:8080"), 202},
		{"an address of loopback", post(requests, hi, "Host: [::1]:8080"), 202},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := g.do(t, tt.call); r.status != tt.want {
				t.Errorf("got %d %s, want %d", r.status, r.body, tt.want)
			}
		})
	}
}

func TestLocalHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:1": true, "a.localhost": true, "localhost.": true, "127.0.0.1": true, "127.9.9.9:80": true,
		"[::1]": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "": true,
		"localhost.evil.example": false, "evil.example": false, "0.0.0.0": false, "10.0.0.1:80": false, "127.0.0.1.nip.io": false, "notlocalhost": false,
	} {
		if got := localHost(host); got != want {
			t.Errorf("localHost(%q): got %v, want %v", host, got, want)
		}
	}
}

func TestWhatIsWrongIsToldAtTheStart(t *testing.T) {
	s := bustest.Start(t, bustest.NoListen())
	b := connect(t, s, configured())
	path, _ := withKey(t)
	broken := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(broken, []byte("keys"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := start(t, s, configured())
	for _, tt := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"keys are needed and no file is named", func(c *config.Config) { c.Environment = config.Production }, "gateway.keys_file is not set"},
		{"keys are needed and the file is not there", func(c *config.Config) {
			c.Environment, c.Gateway.KeysFile = config.Production, path+".none"
		}, "genesis keys add"},
		{"the file is broken", func(c *config.Config) { c.Gateway.KeysFile = broken }, broken},
		{"the address is taken", func(c *config.Config) { c.Gateway.HTTP = strings.TrimPrefix(taken.URL(), "http://") }, "another program listens there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := New(Options{Config: configured(tt.change), Bus: b})
			if err == nil {
				_ = g.Close()
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
		})
	}
}
