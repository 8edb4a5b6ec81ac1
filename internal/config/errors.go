package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one thing wrong with the configuration, and where it was written.
// Load and Validate return them joined; errors.As finds the first.
type Error struct {
	// File and Line are the place in the file; empty and 0 when it has none.
	File string
	Line int
	// Source is the environment variable or flag the value came from, if one did.
	Source string
	// Path is the value's place in the document: agents.echo.ladder[0].rung.
	// Empty when the message names the place itself.
	Path string
	// Message says what is wrong and what to write instead.
	Message string

	refers string // the section in which a name was looked up in vain
	broken string // in decoding: the path about which no more is known
}

// Error returns place: path: message, without the parts that are not known.
func (e *Error) Error() string {
	place := e.Source
	if place == "" && e.Line > 0 {
		place = e.File + ":" + strconv.Itoa(e.Line)
	} else if place == "" {
		place = e.File
	}
	parts := slices.DeleteFunc([]string{place, e.Path, e.Message}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}

// origin is where a value was set.
type origin struct {
	file   string
	line   int
	source string
}

// origins holds the origin of every value that was set, by path.
type origins map[string]origin

// of returns the origin of the value at path, or else of the nearest section
// around it.
func (o origins) of(path string) origin {
	for path != "" {
		if at, ok := o[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return origin{}
}

// override notes that source set the value at path, and all that was below it.
func (o origins) override(path, source string) {
	for p := range o {
		if below(p, path) {
			delete(o, p)
		}
	}
	o[path] = origin{source: source}
}

// maxErrors bounds a report: a file of another program would fill the screen.
const maxErrors = 100

// problems collects errors, at most one a path and maxErrors in all.
type problems struct {
	found []*Error
	paths map[string]bool
	more  int
}

func (p *problems) full() bool { return len(p.found) >= maxErrors }

func (p *problems) add(e *Error) {
	switch {
	case e.Path != "" && p.paths[e.Path]:
	case p.full():
		p.more++
	default:
		p.skip(e.Path)
		p.found = append(p.found, e)
	}
}

// skip lets no more errors of the path in.
func (p *problems) skip(path string) {
	if p.paths == nil {
		p.paths = make(map[string]bool)
	}
	p.paths[path] = true
}

// err joins the errors in the order of the file's lines; those of the
// environment and the flags come last. It is nil when there are none.
func (p *problems) err() error {
	line := func(e *Error) int {
		if e.Line == 0 {
			return math.MaxInt
		}
		return e.Line
	}
	slices.SortStableFunc(p.found, func(a, b *Error) int { return cmp.Compare(line(a), line(b)) })
	errs := make([]error, 0, len(p.found)+1)
	for _, e := range p.found {
		errs = append(errs, e)
	}
	if p.more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", p.more))
	}
	return errors.Join(errs...)
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join appends a key to a path. A key that is no plain word is quoted.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// index appends a position in a list to a path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// below reports whether path is inside parent.
func below(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && rest != "" && (parent == "" || rest[0] == '.' || rest[0] == '[')
}

const maxQuoted = 64

// quote returns s in quotes, escaped and shortened for a message.
func quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "..."
}
