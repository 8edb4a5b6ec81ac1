package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

const (
	maxFileLines = 500
	maxMainLines = 50
	maxDepth     = 4
)

// layoutRules say how the house looks before one reads a line of it.
func layoutRules() []rule {
	return []rule{
		{
			promise: "a program's main is one main.go of at most 50 lines",
			because: "it holds signals, the exit code and Run; more than that belongs where it can be tested",
			check:   eachFile(checkMain),
			breaks: []sources{
				{"cmd/gateway/main.go": "package main\n" + strings.Repeat("\n", maxMainLines)},
				{"cmd/gateway/more.go": "package main\n"},
			},
			keeps: []sources{{
				"cmd/gateway/main.go":      "package main\n" + strings.Repeat("\n", maxMainLines-1),
				"cmd/gateway/main_test.go": "package main\n" + strings.Repeat("\n", maxMainLines),
			}},
		},
		{
			promise: "no file is longer than 500 lines",
			because: "one idea a file: the reader finds a thing by its file's name",
			check: eachFile(func(f file) []finding {
				if f.lines <= maxFileLines {
					return nil
				}
				return []finding{{path: f.path, what: fmt.Sprintf("has %d lines", f.lines)}}
			}),
			breaks: []sources{{"pkg/bus/a.go": "package bus\n" + strings.Repeat("\n", maxFileLines)}},
			keeps:  []sources{{"pkg/bus/a.go": "package bus\n" + strings.Repeat("\n", maxFileLines-1)}},
		},
		{
			promise: "packages lie at most four directories deep",
			because: "a deep tree hides what a good name would show",
			check: eachFile(func(f file) []finding {
				if depth := strings.Count(f.path, "/"); depth > maxDepth {
					return []finding{{path: f.path, what: fmt.Sprintf("is %d directories deep", depth)}}
				}
				return nil
			}),
			breaks: []sources{{"a/b/c/d/e/f.go": "package e\n"}},
			keeps:  []sources{{"a/b/c/d/f.go": "package d\n"}, {"f.go": "package p\n"}},
		},
		{
			promise: "no package is called util, common, helpers, base, types, misc or shared",
			because: "a package is a noun at home in a sentence; these names say what is not in it: an idea",
			check:   eachFile(checkPackageName),
			breaks: []sources{
				{"internal/util/a.go": "package util\n"},
				{"internal/common/a.go": "package glue\n"},
				{"internal/glue/a.go": "package helpers\n"},
				{"internal/types/a_test.go": "package types_test\n"},
			},
			keeps: []sources{{"internal/telemetry/a.go": "package telemetry\n"}},
		},
		{
			promise: "no init functions",
			because: "what happens on import cannot be ordered, tested or left out; assemble visibly in main",
			check: eachFile(func(f file) []finding {
				var found []finding
				for _, decl := range f.syntax.Decls {
					if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
						found = append(found, f.finding(fn, "declares init"))
					}
				}
				return found
			}),
			breaks: []sources{
				{"pkg/agents/a.go": "package agents\nfunc init() {}\n"},
				{"pkg/agents/a_test.go": "package agents\nfunc init() {}\n"},
			},
			keeps: []sources{{"pkg/agents/a.go": "package agents\ntype a int\nfunc (a) init() {}\nfunc New() {}\n"}},
		},
	}
}

// eachFile makes a rule's check from a look at one file.
func eachFile(look func(file) []finding) func(tree) []finding {
	return func(tr tree) []finding {
		var found []finding
		for _, f := range tr.files {
			found = append(found, look(f)...)
		}
		return found
	}
}

func checkMain(f file) []finding {
	if !f.in("cmd") || f.isTest() {
		return nil
	}
	if path.Base(f.path) != "main.go" {
		return []finding{{path: f.path, what: "lies beside main.go"}}
	}
	if f.lines > maxMainLines {
		return []finding{{path: f.path, what: fmt.Sprintf("has %d lines", f.lines)}}
	}
	return nil
}

func checkPackageName(f file) []finding {
	bad := []string{"util", "utils", "common", "helper", "helpers", "base", "types", "misc", "shared"}
	for _, name := range append(strings.Split(f.dir(), "/"), strings.TrimSuffix(f.syntax.Name.Name, "_test")) {
		if slices.Contains(bad, name) {
			return []finding{f.finding(f.syntax.Name, "is in a package or directory called "+name)}
		}
	}
	return nil
}
