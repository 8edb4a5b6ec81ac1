package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile bounds what is read: some hundred thousand keys.
const maxFile = 32 << 20

// document is the file: JSON, so that a person can read it and see who has a key.
type document struct {
	Keys []Key `json:"keys"`
}

// read reads the file at path. One that is not there holds no keys and has no info.
func read(path string) (document, fs.FileInfo, error) {
	var d document
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil, nil
	}
	if err != nil {
		return d, nil, fmt.Errorf("read the API keys: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return d, nil, fmt.Errorf("read the API keys: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return d, nil, fmt.Errorf("read the API keys: %s is not a file", path)
	case info.Mode().Perm()&0o022 != 0:
		return d, nil, fmt.Errorf("read the API keys: others than its owner may write %s (mode %04o), and so give themselves a key: run `chmod 600 %s`",
			path, info.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return d, nil, fmt.Errorf("read the API keys: %w", err)
	}
	if d, err = parse(data); err != nil {
		return d, nil, fmt.Errorf("read the API keys in %s: %w: repair it, or remove it and add the keys anew with `genesis keys add`", path, err)
	}
	return d, info, nil
}

func parse(data []byte) (document, error) {
	var d document
	if len(data) > maxFile {
		return d, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return d, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("it is not a list of keys: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return d, errors.New("something follows the list of keys")
	}
	names := make(map[string]bool, len(d.Keys))
	for i, k := range d.Keys {
		if err := ValidName(k.Name); err != nil {
			return d, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if names[k.Name] {
			return d, fmt.Errorf("keys[%d]: %q is there twice", i, k.Name)
		}
		names[k.Name] = true
		if _, ok := k.digest(); !ok {
			return d, fmt.Errorf("keys[%d] (%s): its hash is not the hexadecimal form of a SHA-256", i, k.Name)
		}
	}
	return d, nil
}

// write replaces the file in one step: a reader sees the old one or the new one, also
// after a crash.
func write(path string, d document) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write the API keys: %w", err)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keys-*") // readable and writable by its owner only
	if err != nil {
		return fmt.Errorf("write the API keys: %w", err)
	}
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the API keys: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("write the API keys: %w", err)
	}
	return nil
}

// locked runs f while no other process changes a keys file in the same directory. It
// locks the directory, because the file itself is replaced by every change.
func locked(path string, f func() error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("change the API keys: %w: create the directory, or name another in gateway.keys_file", err)
	}
	defer dir.Close() //nolint:errcheck // closing it releases the lock
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("change the API keys: lock %s: %w", dir.Name(), err)
	}
	return f()
}
