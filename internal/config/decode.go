package config

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxValues bounds what is decoded, so that a short file whose aliases multiply
// (a "billion laughs") ends in an error and not in an exhausted machine.
const maxValues = 100_000

// decoder copies a YAML document into a value, strictly: every key must be a
// field, every value of the field's type. It notes where each value was
// written and goes on after an error, to find them all.
type decoder struct {
	file    string
	origins origins
	problems
	values int
}

// place is what messages say about a value.
type place struct {
	path    string
	line    int
	example string // what to write, for a wrong type
}

// spend counts values and reports whether the document may go on.
func (d *decoder) spend(n int) bool {
	d.values += n
	return d.values <= maxValues
}

// fail reports a problem with the value at p.
func (d *decoder) fail(p place, format string, args ...any) {
	d.add(&Error{File: d.file, Line: p.line, Path: p.path, Message: fmt.Sprintf(format, args...), broken: p.path})
}

// value decodes n into v. Nothing changes v when n is of the wrong type.
func (d *decoder) value(n *yaml.Node, p place, v reflect.Value) {
	n = follow(n)
	d.origins[p.path] = origin{file: d.file, line: p.line}
	if v.Kind() == reflect.Pointer {
		d.optional(n, p, v)
		return
	}
	section := true
	want := yaml.MappingNode
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
	case reflect.Slice:
		want = yaml.SequenceNode
	default:
		section, want = false, yaml.ScalarNode
	}
	null := n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
	switch {
	case null && section: // a heading whose content is commented out
		delete(d.origins, p.path)
	case null:
		d.fail(p, "has no value; remove the key or write %s", expected(v.Type(), p.example))
	case n.Kind != want:
		d.mismatch(n, p, v)
	case v.Kind() == reflect.Struct:
		d.object(n, p, v)
	case v.Kind() == reflect.Map:
		d.table(n, p, v)
	case v.Kind() == reflect.Slice:
		d.list(n, p, v)
	default:
		d.scalar(n, p, v)
	}
}

// optional decodes a section that is there only when it was written.
func (d *decoder) optional(n *yaml.Node, p place, v reflect.Value) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		d.fail(p, "has no value; remove the key or write %s", expected(v.Type().Elem(), p.example))
		return
	}
	v.Set(reflect.New(v.Type().Elem()))
	preset(v)
	d.value(n, p, v.Elem())
}

// preset gives what v points to its defaults, if it has any.
func preset(v reflect.Value) {
	if p, ok := reflect.TypeAssert[interface{ preset() }](v); ok {
		p.preset()
	}
}

// object decodes a mapping whose keys are the fields of v.
func (d *decoder) object(n *yaml.Node, p place, v reflect.Value) {
	known := fields(v.Type())
	for _, e := range d.entries(n, p) {
		key := e.key.Value
		i, ok := known[key]
		if !ok {
			d.unknownKey(e.key, p, slices.Sorted(maps.Keys(known)))
			continue
		}
		at := place{join(p.path, key), e.key.Line, v.Type().Field(i).Tag.Get("example")}
		d.value(e.value, at, v.Field(i))
	}
}

func (d *decoder) unknownKey(key *yaml.Node, p place, known []string) {
	where, broken := "in "+p.path, p.path
	if p.path == "" {
		where, broken = "at the top level", join("", key.Value)
	}
	hint := ""
	if !d.full() {
		hint = didYouMean(key.Value, known)
		if near := nearest(key.Value, known); near != "" {
			broken = join(p.path, near)
		}
	}
	d.add(&Error{
		File: d.file, Line: key.Line, broken: broken,
		Message: fmt.Sprintf("unknown key %s %s%s", quote(key.Value), where, hint),
	})
}

// table decodes a mapping of free keys, replacing the map v held.
func (d *decoder) table(n *yaml.Node, p place, v reflect.Value) {
	entries := d.entries(n, p)
	fresh := reflect.MakeMapWithSize(v.Type(), len(entries))
	for _, e := range entries {
		item := reflect.New(v.Type().Elem())
		preset(item)
		d.value(e.value, place{path: join(p.path, e.key.Value), line: e.key.Line}, item.Elem())
		fresh.SetMapIndex(reflect.ValueOf(e.key.Value), item.Elem())
	}
	v.Set(fresh)
}

// list decodes a sequence. An empty one is nil, like one that was not written.
func (d *decoder) list(n *yaml.Node, p place, v reflect.Value) {
	v.SetZero()
	for i, item := range n.Content {
		if !d.spend(1) {
			return
		}
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		d.value(item, place{path: index(p.path, i), line: item.Line}, v.Index(i))
	}
}

// scalar decodes by the type of v. YAML's own guess at the type must agree: a
// text is not a number, and yes is not true.
func (d *decoder) scalar(n *yaml.Node, p place, v reflect.Value) {
	var tags string
	text, isText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	switch kind := v.Kind(); {
	case isText:
		tags = "!!str !!int !!float"
	case kind == reflect.String:
		tags = "!!str"
	case kind == reflect.Bool:
		tags = "!!bool"
	case kind == reflect.Int:
		tags = "!!int"
	case kind == reflect.Float64:
		tags = "!!int !!float"
	}
	if !slices.Contains(strings.Fields(tags), n.ShortTag()) {
		d.mismatch(n, p, v)
		return
	}
	if isText {
		if err := text.UnmarshalText([]byte(n.Value)); err != nil {
			d.fail(p, "%v", err)
		}
		return
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		d.mismatch(n, p, v)
	}
}

// mismatch reports a value of the wrong type.
func (d *decoder) mismatch(n *yaml.Node, p place, v reflect.Value) {
	got := quote(n.Value)
	switch {
	case n.Kind == yaml.MappingNode:
		got = "a mapping"
	case n.Kind == yaml.SequenceNode:
		got = "a list"
	case n.ShortTag() != "!!str" && len(n.Value) <= maxQuoted:
		got = n.Value
		if v.Kind() == reflect.String {
			got += " (put it in quotes to make it a text)"
		}
	}
	d.fail(p, "want %s, got %s", expected(v.Type(), p.example), got)
}

// fields returns the index of each field of a struct by its key.
func fields(t reflect.Type) map[string]int {
	known := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if key := keyOf(t.Field(i)); key != "" {
			known[key] = i
		}
	}
	return known
}

// keyOf returns the key of a field in the file; empty when it has none.
func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}
