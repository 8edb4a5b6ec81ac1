package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
)

const maxFile = MiB

// Load returns the configuration of the file at path, or the built-in default
// when path is empty, with the variables env finds over it, then the overrides
// (flags) in their order. It is resolved and valid. A nil env means none; a
// program passes os.LookupEnv.
//
// The error joins every problem found, each an *Error (beyond 100 it gives their
// number); a file that cannot be read gives an error that wraps the
// cause (fs.ErrNotExist and the like).
func Load(path string, env func(string) (string, bool), overrides ...Override) (*Config, error) {
	var data []byte
	if path != "" {
		var err error
		if data, err = read(path); err != nil {
			return nil, err
		}
	}
	return load(path, data, env, overrides)
}

// read returns the file's content, up to maxFile.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: %w; name an existing file, or none to use the built-in default", err)
	} else if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if info.IsDir() {
		return nil, &Error{File: path, Message: "is a directory; name the file in it"}
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(maxFile)+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > int(maxFile) {
		return nil, &Error{File: path, Message: fmt.Sprintf("is larger than %s; is it the right file?", maxFile)}
	}
	return data, nil
}

func load(file string, data []byte, env func(string) (string, bool), overrides []Override) (*Config, error) {
	c := base()
	document, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	d := decoder{file: file, origins: c.origins}
	if document != nil {
		d.value(document, place{line: document.Line}, reflect.ValueOf(c).Elem())
		delete(d.origins, "")
	}
	if d.values > maxValues {
		return nil, &Error{File: file, Message: fmt.Sprintf("holds, or its aliases expand to, more than %d values", maxValues)}
	}
	for _, o := range slices.Concat(fromEnvironment(env), overrides) {
		c.apply(o, &d.problems)
	}
	c.resolve()
	known := d.found
	faults := c.check()
	for _, e := range faults.found {
		if !slices.ContainsFunc(known, func(k *Error) bool { return k.explains(e) }) {
			d.add(e)
		}
	}
	d.more += faults.more
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// explains reports whether other, found in the values, only follows from e, found in
// reading them.
func (e *Error) explains(other *Error) bool {
	return e.broken == other.Path || below(e.broken, other.Path) || below(other.Path, e.broken) ||
		other.refers != "" && e.broken == other.refers
}
