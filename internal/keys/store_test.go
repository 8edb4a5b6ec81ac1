package keys

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that moves when the test says so.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newStore(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	s, err := open(filepath.Join(t.TempDir(), "keys.json"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func add(t testing.TB, s *Store, name string) string {
	t.Helper()
	key, err := s.Add(name)
	if err != nil {
		t.Fatalf("add %s: %v", name, err)
	}
	return key
}

func TestAKeyIsGoodUntilItIsRemoved(t *testing.T) {
	s, _ := newStore(t)
	web, batch := add(t, s, "web"), add(t, s, "batch")
	for key, want := range map[string]string{web: "web", batch: "batch"} {
		if name, ok := s.Verify(key); !ok || name != want {
			t.Errorf("verify %s's key: got %q %v", want, name, ok)
		}
	}
	if err := s.Remove("web"); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Verify(web); ok {
		t.Error("a removed key is still good")
	}
	if name, ok := s.Verify(batch); !ok || name != "batch" {
		t.Errorf("the other key: got %q %v", name, ok)
	}
	if s.Len() != 1 {
		t.Errorf("len: got %d, want 1", s.Len())
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	s, _ := newStore(t)
	key := add(t, s, "web")
	flipped := "A"
	if strings.HasSuffix(key, "A") {
		flipped = "B"
	}
	for _, tt := range []struct{ name, key string }{
		{"nothing", ""},
		{"the prefix alone", Prefix},
		{"a key without its end", key[:len(key)-1]},
		{"a key with one letter more", key + "A"},
		{"a key with another letter", key[:len(key)-1] + flipped},
		{"its hash", mustList(t, s)[0].Hash},
		{"a key without its prefix", key[len(Prefix):] + "AAA"},
		{"another random key", generate()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if name, ok := s.Verify(tt.key); ok || name != "" {
				t.Errorf("verify %q: got %q %v, want it refused", tt.key, name, ok)
			}
		})
	}
}

func mustList(t testing.TB, s *Store) []Key {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTheFileShowsWhoButNotTheKeys(t *testing.T) {
	s, c := newStore(t)
	key := add(t, s, "web")
	add(t, s, "batch")
	data, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), key[startBytes:]) {
		t.Errorf("the file holds the key:\n%s", data)
	}
	info, err := os.Stat(s.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v %v, want 0600", info.Mode(), err)
	}
	list := mustList(t, s)
	if len(list) != 2 || list[0].Name != "batch" || list[1].Name != "web" || list[1].Start != key[:startBytes] ||
		!list[1].Created.Equal(c.at.Truncate(time.Second)) {
		t.Errorf("list: got %+v", list)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.Path()), ".keys-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMistakesAreToldInWords(t *testing.T) {
	s, _ := newStore(t)
	add(t, s, "web")
	for _, tt := range []struct {
		name string
		err  error
		is   error
		want string
	}{
		{"a name twice", second(s.Add("web")), ErrExists, "web, since 2026-01-02"},
		{"no name", second(s.Add("")), ErrInvalid, "use a letter or digit"},
		{"a name with a space", second(s.Add("my web")), ErrInvalid, `"my web"`},
		{"a name that begins with a dash", second(s.Add("-rf")), ErrInvalid, "-rf"},
		{"a long name", second(s.Add(strings.Repeat("a", 65))), ErrInvalid, "63"},
		{"an unknown name", s.Remove("wep"), ErrNotFound, "there are web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !errors.Is(tt.err, tt.is) || !strings.Contains(tt.err.Error(), tt.want) {
				t.Errorf("got %v, want %v that says %q", tt.err, tt.is, tt.want)
			}
		})
	}
	if got := len(mustList(t, s)); got != 1 {
		t.Errorf("the mistakes left %d keys, want 1", got)
	}
	lost := &Store{path: filepath.Join(t.TempDir(), "none", "keys.json"), now: time.Now}
	if _, err := lost.Add("web"); err == nil || !strings.Contains(err.Error(), "create the directory") {
		t.Errorf("a directory that is not there: got %v", err)
	}
}

func second(_ string, err error) error { return err }

func TestABadFileIsNotOpened(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, tt := range []struct{ name, text, want string }{
		{"not JSON", "gk_abc", "not a list of keys"},
		{"an array", "[]", "not a list of keys"},
		{"an unknown setting", `{"key":[]}`, "key"},
		{"two documents", `{"keys":[]}{"keys":[]}`, "follows"},
		{"a key in the clear", `{"keys":[{"name":"a","hash":"gk_abc"}]}`, "keys[0] (a)"},
		{"a hash that is too long", `{"keys":[{"name":"a","hash":"` + hash + `ff"}]}`, "keys[0] (a)"},
		{"one name twice", `{"keys":[{"name":"a","hash":"` + hash + `"},{"name":"a","hash":"` + hash + `"}]}`, "keys[1]"},
		{"a bad name", `{"keys":[{"name":"a b","hash":"` + hash + `"}]}`, "keys[0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("open %s: got %v, want an error that names the file and %q", tt.text, err, tt.want)
			}
		})
	}
	t.Run("others may write it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o620); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("got %v, want the command that repairs it", err)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		if _, err := Open(t.TempDir()); err == nil {
			t.Error("got no error")
		}
	})
}

func TestChangesByAnotherProcessAreSeenWithinASecond(t *testing.T) {
	s, c := newStore(t)
	other, err := Open(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	key := add(t, other, "web")
	if _, ok := s.Verify(key); ok {
		t.Fatal("the file is read more than once a second")
	}
	c.at = c.at.Add(time.Second)
	if _, ok := s.Verify(key); !ok {
		t.Fatal("the added key is not good after a second")
	}

	if err := os.WriteFile(s.Path(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Second)
	if _, ok := s.Verify(key); !ok {
		t.Error("a file that is broken for a moment locks everybody out")
	}
	if s.Err() == nil {
		t.Error("the broken file is not told")
	}

	if err := os.Remove(s.Path()); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Second)
	if _, ok := s.Verify(key); ok {
		t.Error("a removed file leaves its keys good")
	}
	if err := s.Err(); err != nil {
		t.Errorf("after the file was removed: got %v", err)
	}
}

func TestNoChangeIsLostAmongSeveral(t *testing.T) {
	s, _ := newStore(t)
	const n = 16
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			mine, err := Open(s.Path())
			if err == nil {
				_, err = mine.Add("key-" + string(rune('a'+i)))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(mustList(t, s)); got != n {
		t.Errorf("got %d keys, want %d", got, n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[{"name":"a","start":"gk_","created":"2026-01-02T03:04:05Z","hash":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(" "))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse(data)
		if err != nil {
			return
		}
		for _, k := range d.Keys {
			if _, ok := k.digest(); !ok || ValidName(k.Name) != nil {
				t.Errorf("%q: accepted %+v", data, k)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "keys.json"))
	if err != nil {
		b.Fatal(err)
	}
	var key string
	for range 100 {
		key = add(b, s, generate()[:20])
	}
	for b.Loop() {
		if _, ok := s.Verify(key); !ok {
			b.Fatal("refused")
		}
	}
}
