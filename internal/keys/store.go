package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// recheck is how often, at most, Verify looks whether the file has changed.
const recheck = time.Second

// A Store is the keys of one file. Its methods may be used concurrently, and several
// processes may use the same file.
type Store struct {
	path string
	now  func() time.Time

	mu      sync.RWMutex
	known   []secret
	info    fs.FileInfo // of the file that known was read from; nil: there was none
	checked time.Time
	err     error // why the file as it is now could not be read
}

type secret struct {
	name string
	hash [sha256.Size]byte
}

// Open reads the keys at path. A file that is not there is empty; [Store.Add] creates
// it. Its error says what is wrong with the file and what to do.
func Open(path string) (*Store, error) {
	return open(path, time.Now)
}

func open(path string, now func() time.Time) (*Store, error) {
	s := &Store{path: path, now: now}
	d, info, err := read(path)
	if err != nil {
		return nil, err
	}
	s.use(d, info)
	s.checked = now()
	return s, nil
}

// Path is where the file is.
func (s *Store) Path() string { return s.path }

// Add makes a key for name, stores its hash, and returns the key, which nobody can
// read again. Errors: [ErrInvalid], [ErrExists], and those of the file.
func (s *Store) Add(name string) (string, error) {
	if err := ValidName(name); err != nil {
		return "", fmt.Errorf("add an API key: %w", err)
	}
	key := generate()
	err := s.change(func(d *document) error {
		if i := find(d.Keys, name); i >= 0 {
			return fmt.Errorf("add an API key: %w: %s, since %s: remove it first, or choose another name",
				ErrExists, name, d.Keys[i].Created.Format(time.DateOnly))
		}
		d.Keys = append(d.Keys, describe(name, key, s.now()))
		return nil
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// Remove forgets the key of that name: within a second no gateway that reads this
// file accepts it. Errors: [ErrNotFound], and those of the file.
func (s *Store) Remove(name string) error {
	return s.change(func(d *document) error {
		i := find(d.Keys, name)
		if i < 0 {
			return fmt.Errorf("remove an API key: %w: %.80q; %s", ErrNotFound, name, names(d.Keys))
		}
		d.Keys = slices.Delete(d.Keys, i, i+1)
		return nil
	})
}

// List reads the file and returns its keys, sorted by name.
func (s *Store) List() ([]Key, error) {
	d, _, err := read(s.path)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(d.Keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return d.Keys, nil
}

// Verify returns whose key it is, and whether it is one. At most once a second it
// looks whether the file has changed, and reads it again. A file that has been removed
// holds no keys; while one cannot be read or parsed, the keys read before are
// good, and [Store.Err] says why. The comparison takes as long for every wrong key.
func (s *Store) Verify(key string) (name string, ok bool) {
	if len(key) != keyLength || !strings.HasPrefix(key, Prefix) {
		return "", false
	}
	s.refresh()
	sum := sha256.Sum256([]byte(key))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.known {
		if subtle.ConstantTimeCompare(sum[:], s.known[i].hash[:]) == 1 {
			name, ok = s.known[i].name, true
		}
	}
	return name, ok
}

// Err is why the file could not be read when it last changed, or nil.
func (s *Store) Err() error {
	s.refresh()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err
}

// Len is how many keys are good.
func (s *Store) Len() int {
	s.refresh()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.known)
}

// refresh reads the file again if it has changed.
func (s *Store) refresh() {
	now := s.now()
	s.mu.Lock()
	due := now.Sub(s.checked) >= recheck
	if due {
		s.checked = now // whoever comes now uses what is known
	}
	before := s.info
	s.mu.Unlock()
	if !due {
		return
	}
	after, err := os.Stat(s.path)
	if err != nil {
		after = nil // read tells what it means
	}
	if same(before, after) && s.readable() {
		return
	}
	d, info, err := read(s.path)
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		return
	}
	s.use(d, info)
}

func (s *Store) readable() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err == nil
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

func (s *Store) use(d document, info fs.FileInfo) {
	known := make([]secret, len(d.Keys))
	for i, k := range d.Keys {
		sum, _ := k.digest() // parse has checked it
		known[i] = secret{k.Name, sum}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.info, s.err = known, info, nil
}

// change applies f to what is in the file now, and writes it.
func (s *Store) change(f func(*document) error) error {
	return locked(s.path, func() error {
		d, _, err := read(s.path)
		if err != nil {
			return err
		}
		if err := f(&d); err != nil {
			return err
		}
		if err := write(s.path, d); err != nil {
			return err
		}
		_, info, err := read(s.path)
		s.use(d, info)
		return err
	})
}

func find(list []Key, name string) int {
	return slices.IndexFunc(list, func(k Key) bool { return k.Name == name })
}

// names lists what there is, for a message.
func names(list []Key) string {
	if len(list) == 0 {
		return "the file holds no keys"
	}
	const shown = 20
	all := make([]string, 0, shown)
	for _, k := range list[:min(len(list), shown)] {
		all = append(all, k.Name)
	}
	text := "there are " + strings.Join(all, ", ")
	if len(list) > shown {
		text += ", ..."
	}
	return text
}
