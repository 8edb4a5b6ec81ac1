package readme

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A step is one command of a document with the output that it shows, or a file.
type step struct {
	line    int
	command string
	output  []string
	file    string
}

// read finds the console and yaml blocks of a document.
func read(t *testing.T, path string) []step {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var steps []step
	block := ""
	s := bufio.NewScanner(f)
	for n := 1; s.Scan(); n++ {
		text := s.Text()
		switch {
		case strings.HasPrefix(text, "```") && block != "":
			block = ""
		case strings.HasPrefix(text, "```"):
			block = strings.TrimPrefix(text, "```")
			if block == "" {
				block = "text"
			}
			if block == "yaml" {
				steps = append(steps, step{line: n})
			}
		case block == "yaml":
			steps[len(steps)-1].file += text + "\n"
		case block == "console" && strings.HasPrefix(text, "$ "):
			steps = append(steps, step{line: n, command: text[2:]})
		case block == "console":
			last := &steps[len(steps)-1]
			last.output = append(last.output, text)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestEveryCommandOfTheDocumentsDoesWhatTheySay(t *testing.T) {
	root := filepath.Join("..", "..")
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(documents, filepath.Join(root, "README.md")) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			steps := read(t, path)
			if len(steps) == 0 {
				return // it shows no commands
			}
			sh := newShell(t)
			for _, s := range steps {
				if s.file != "" {
					sh.write("genesis.yaml", s.file)
					continue
				}
				place := fmt.Sprintf("%s:%d: $ %s", filepath.Base(path), s.line, s.command)
				if msg := sh.run(s); msg != "" {
					t.Fatalf("%s\n%s", place, msg)
				}
			}
		})
	}
}

// reads are commands that change nothing: they are repeated until what was sent before
// has arrived.
var reads = regexp.MustCompile(`^(nats stream get|genesis (dlq ls|explain|verify|lag|agents)|curl -s http://\S+$)`)

// run runs a step and says how its output differs from the document's.
func (sh *shell) run(s step) string {
	sh.t.Helper()
	if s.command == "make up" {
		return differ(sh.up(), s.output)
	}
	limit := time.Now().Add(20 * time.Second)
	for {
		msg := differ(sh.command(s.command), s.output)
		if msg == "" || !reads.MatchString(s.command) || time.Now().After(limit) {
			return msg
		}
		<-time.After(100 * time.Millisecond)
	}
}

var spaces = regexp.MustCompile(`[ \t]+`)

// differ compares an output with what a document shows; empty means that it matches.
func differ(got string, want []string) string {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range want {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		line = spaces.ReplaceAllString(strings.TrimRight(line, " "), " ")
		for i, part := range strings.Split(line, "...") {
			if i > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(`[ ]?\n`)
	}
	pattern.WriteString(`\z`)
	plain := spaces.ReplaceAllString(got, " ")
	if plain != "" && !strings.HasSuffix(plain, "\n") {
		plain += "\n"
	}
	if regexp.MustCompile(pattern.String()).MatchString(plain) {
		return ""
	}
	return fmt.Sprintf("printed:\n%s\nthe document says:\n%s", got, strings.Join(want, "\n"))
}

func TestDifferSeesADifference(t *testing.T) {
	for _, c := range []struct {
		got   string
		want  []string
		match bool
	}{
		{"a\n", []string{"a"}, true},
		{"a\n", []string{"b"}, false},
		{"a\nb\n", []string{"a"}, false},
		{"a  1 x\n", []string{"a 1 ..."}, true},
		{"a\nb\nc\n", []string{"a", "...", "c"}, true},
		{"a\nb\nd\n", []string{"a", "...", "c"}, false},
		{"", nil, true},
		{"a\n", nil, false},
	} {
		if got := differ(c.got, c.want) == ""; got != c.match {
			t.Errorf("differ(%q, %q): got match %v, want %v", c.got, c.want, got, c.match)
		}
	}
}
