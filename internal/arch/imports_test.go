package arch

import (
	"strconv"
	"strings"
)

// imports checks every import of every file: a rule about imports is one
// question, whether this file may import that path.
func imports(may func(f file, imported string) bool) func(tree) []finding {
	return func(tr tree) []finding {
		var found []finding
		for _, f := range tr.files {
			for _, spec := range f.syntax.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				if !may(f, imported) {
					found = append(found, f.finding(spec, "imports "+imported))
				}
			}
		}
		return found
	}
}

// std tells whether an import path belongs to the standard library: only its
// first element may lack a dot.
func std(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return first != module && !strings.Contains(first, ".")
}

// testTool tells whether a test file may import this path wherever it lies.
func testTool(f file, imported string) bool {
	return f.isTest() && under(imported, "go.uber.org/goleak", "pgregory.net/rapid", "github.com/rogpeppe/go-internal")
}

// confined is the question of a package that may import nothing beside the
// standard library but the listed paths; its tests may use the test tools too.
func confined(dir string, only ...string) func(f file, imported string) bool {
	return func(f file, imported string) bool {
		return !f.in(dir) || std(imported) || under(imported, only...) || testTool(f, imported)
	}
}

// importing is a source file whose only content is one import.
func importing(imported string) string {
	return "package p\n\nimport _ \"" + imported + "\"\n"
}
