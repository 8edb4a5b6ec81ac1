package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns the content of the one document in data; nil when empty.
func parseYAML(file string, data []byte) (*yaml.Node, error) {
	lines := &lineReader{rest: data}
	dec := yaml.NewDecoder(lines)
	var first, second yaml.Node
	if err := dec.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxError(file, data, lines.read, err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{File: file, Line: second.Line, Message: "a second document starts here; a configuration is one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(file, data, lines.read, err)
	}
	return first.Content[0], nil
}

// lineReader hands out one line at a time, so that the lines read at an error
// tell where the parser stopped.
type lineReader struct {
	rest []byte
	read int
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	end := bytes.IndexByte(l.rest, '\n') + 1
	if end == 0 {
		end = len(l.rest)
	}
	n := copy(p, l.rest[:end])
	if n == end {
		l.read++
	}
	l.rest = l.rest[n:]
	return n, nil
}

var (
	// yamlError is how the YAML package says where and what.
	yamlError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)
	// startsAbove are errors of a block it places at the beginning of the block.
	startsAbove = regexp.MustCompile(`^did not find expected (key|'-' indicator)`)
	// fromZero are errors whose line it counts from 0.
	fromZero      = regexp.MustCompile(`^(did not find expected (',' or|node content|<document start>)|found undefined tag handle)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// syntaxError puts an error of the YAML package in our form, with the line to
// look at: where a bracket or quote opens, else where the parser stopped.
func syntaxError(file string, data []byte, read int, err error) error {
	match := yamlError.FindStringSubmatch(err.Error())
	if match == nil {
		return &Error{File: file, Line: read, Message: "YAML syntax: " + err.Error()}
	}
	what := match[2]
	line, _ := strconv.Atoi(match[1]) // 0 when it names none
	lines := strings.Split(string(data), "\n")
	switch anchor := unknownAnchor.FindStringSubmatch(what); {
	case anchor != nil:
		line = 1 + indexOf(lines, "*"+anchor[1])
	case fromZero.MatchString(what):
		line++
	case line == 0 || startsAbove.MatchString(what):
		line = read
	}
	for i := max(0, line-1); i <= line && i < len(lines); i++ {
		indent := lines[i][:len(lines[i])-len(strings.TrimLeft(lines[i], " \t"))]
		if strings.Contains(indent, "\t") {
			line, what = i+1, "a tab in the indentation; use spaces"
			break
		}
	}
	return &Error{File: file, Line: line, Message: "YAML syntax: " + what}
}

// indexOf returns the first line that holds text, or -1.
func indexOf(lines []string, text string) int {
	for i, line := range lines {
		if strings.Contains(line, text) {
			return i
		}
	}
	return -1
}
