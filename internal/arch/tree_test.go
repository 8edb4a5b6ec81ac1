package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "genesis"

// A tree is what the rules look at: the syntax of every Go file of the module,
// and for every package linked into it the packages it imports.
type tree struct {
	files []file
	links map[string][]string
}

type file struct {
	path   string // below the module's root, with slashes
	lines  int
	syntax *ast.File
	fset   *token.FileSet
}

func (f file) dir() string         { return path.Dir(f.path) }
func (f file) isTest() bool        { return strings.HasSuffix(f.path, "_test.go") }
func (f file) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// in tells whether the file lies in one of the directories or below it.
func (f file) in(dirs ...string) bool { return under(f.dir(), dirs...) }

func (f file) finding(n ast.Node, what string) finding {
	return finding{path: f.path, line: f.line(n), what: what}
}

// under tells whether a slash-separated path is one of the roots or below one.
func under(p string, roots ...string) bool {
	for _, root := range roots {
		if p == root || strings.HasPrefix(p, root+"/") {
			return true
		}
	}
	return false
}

// selections calls visit for every mention of one of the names of the package
// at importPath, under whatever name the file imports it.
func (f file) selections(importPath string, names []string, visit func(*ast.SelectorExpr)) {
	local := ""
	for _, spec := range f.syntax.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == importPath {
			local = path.Base(p)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && slices.Contains(names, sel.Sel.Name) {
			visit(sel)
		}
		return true
	})
}

// moduleTree reads the module this test belongs to. Modules inside it (bench,
// tools) are no part of the product and have rules of their own.
func moduleTree(t *testing.T) tree {
	t.Helper()
	root := filepath.Join("..", "..")
	src := sources{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipForeign(root, p, d.Name())
		}
		if filepath.Ext(p) == ".go" {
			text, err := os.ReadFile(p)
			src[filepath.ToSlash(rel)] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read the source tree: %v", err)
	}
	src[goList] = listLinks(t, root)
	return sourceTree(t, src)
}

func skipForeign(root, dir, name string) error {
	if dir == root {
		return nil
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	if err == nil || strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "genesis-data" {
		return filepath.SkipDir
	}
	return nil
}

// listLinks asks the go command what is linked, with the imports of each
// package; imports of tests are not among them.
func listLinks(t *testing.T, root string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = root
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list the linked packages: %v\n%s", err, complaints.String())
	}
	return string(out)
}

// sources maps paths below the module's root to the text there. The key goList
// holds what the go command would list: a package and its imports on each line.
type sources map[string]string

const goList = "go list"

func sourceTree(t *testing.T, src sources) tree {
	t.Helper()
	tr := tree{links: map[string][]string{}}
	for line := range strings.Lines(src[goList]) {
		if words := strings.Fields(line); len(words) > 0 {
			tr.links[words[0]] = words[1:]
		}
	}
	fset := token.NewFileSet()
	for p, text := range src {
		if p == goList {
			continue
		}
		syntax, err := parser.ParseFile(fset, p, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		tr.files = append(tr.files, file{path: p, lines: strings.Count(text, "\n"), syntax: syntax, fset: fset})
	}
	return tr
}
