// Command testreport makes what `go test -json` prints readable: a line for
// each package, and what a failed test or build printed. Lines that are not
// JSON pass through. With -tally it appends "<passed> <failed>", the counts of
// top-level tests, to a file, so that several runs can be added up.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	tally := flag.String("tally", "", "`file` to append the counts of passed and failed tests to")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *tally); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, tally string) error {
	r := report{out: out, output: map[string]*strings.Builder{}, passed: map[string]int{}}
	if err := r.read(in); err != nil {
		return fmt.Errorf("read test events: %w", err)
	}
	if tally == "" {
		return nil
	}
	f, err := os.OpenFile(tally, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open tally: %w", err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, r.totalPassed, r.totalFailed); err != nil {
		return fmt.Errorf("write tally: %w", err)
	}
	return nil
}

// An event is one line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build events
	Test       string
	Elapsed    float64
	Output     string
}

// topTest names the top-level test the event belongs to.
func (e event) topTest() string {
	top, _, _ := strings.Cut(e.Test, "/")
	return top
}

type report struct {
	out         io.Writer
	output      map[string]*strings.Builder // what a package, or a top-level test of it, printed so far
	passed      map[string]int              // by package
	totalPassed int
	totalFailed int
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				fmt.Fprint(r.out, line)
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.topTest()
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "run":
		if e.Test == e.topTest() {
			r.output[key] = new(strings.Builder)
		}
	case "output":
		if progress(e.Output) {
			return
		}
		if r.output[key] == nil {
			r.output[key] = new(strings.Builder)
		}
		r.output[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		switch {
		case e.Test == "":
			r.endPackage(e, key)
		case e.Test == e.topTest():
			r.endTest(e, key)
		}
	}
}

// progress tells of a line by which -v shows where it is, of no use to one who
// looks for a failure.
func progress(line string) bool {
	line = strings.TrimLeft(line, " ")
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "--- PASS: "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func (r *report) endTest(e event, key string) {
	switch e.Action {
	case "pass":
		r.passed[e.Package]++
		r.totalPassed++
	case "skip":
		fmt.Fprintf(r.out, "SKIP %s %s\n", e.Package, e.Test)
	case "fail":
		r.totalFailed++
		fmt.Fprintf(r.out, "FAIL %s %s\n%s", e.Package, e.Test, r.printed(key))
	}
	delete(r.output, key)
}

// endPackage tells of what a failed package printed outside its tests, and of a
// test that had no end: a panic, an exit or the time limit took it along.
func (r *report) endPackage(e event, key string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok   %-40s %6.1fs %4d passed\n", e.Package, e.Elapsed, r.passed[e.Package])
	case "fail":
		for k := range r.output {
			if k != key && strings.HasPrefix(k, e.Package+" ") {
				r.totalFailed++
				fmt.Fprintf(r.out, "UNFINISHED %s\n%s", k, r.printed(k))
				delete(r.output, k)
			}
		}
		fmt.Fprintf(r.out, "FAIL %s %.1fs\n%s", e.Package, e.Elapsed, r.printed(key))
	}
	delete(r.output, key)
	delete(r.passed, e.Package) // the same package may come again, as fuzzing does
}

func (r *report) printed(key string) string {
	if r.output[key] == nil {
		return ""
	}
	return r.output[key].String()
}
