package config

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// sections holds the source of the types: their comments are the descriptions in
// the schema, so that the two cannot disagree.
//
//go:embed config.go nats.go gateway.go worker.go monitor.go thresholds.go providers.go agents.go policies.go
var sections embed.FS

// fieldComments returns the comment of each struct type, as "Type.", and of each
// of its fields, as "Type.Field".
func fieldComments() (map[string]string, error) {
	entries, err := sections.ReadDir(".")
	if err != nil {
		return nil, err
	}
	comments := make(map[string]string)
	for _, e := range entries {
		source, err := sections.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if types, ok := decl.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				collect(comments, types)
			}
		}
	}
	return comments, nil
}

func collect(comments map[string]string, types *ast.GenDecl) {
	for _, spec := range types.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		body, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		comments[t.Name.Name+"."] = oneLine(types.Doc)
		for _, f := range body.Fields.List {
			for _, name := range f.Names {
				comments[t.Name.Name+"."+name.Name] = oneLine(f.Doc)
			}
		}
	}
}

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
