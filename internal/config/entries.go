package config

import "go.yaml.in/yaml/v3"

// entry is one key of a mapping.
type entry struct{ key, value *yaml.Node }

// entries returns the keys of a mapping in order, those merged in by << last and
// only where the mapping does not set them itself.
func (d *decoder) entries(n *yaml.Node, p place) []entry {
	if !d.spend(1 + len(n.Content)/2) { // the 1 ends a mapping merged into itself
		return nil
	}
	var own, merges []entry
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), n.Content[i+1]
		at := place{path: p.path, line: n.Content[i].Line}
		switch first, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.fail(at, "a key must be a word, not a list or a mapping")
			continue
		case twice:
			at.path = join(p.path, key.Value)
			d.fail(at, "the key is there twice, first on line %d; remove one", first)
			continue
		}
		lines[key.Value] = at.line
		// An aliased key is reported where it is used.
		e := entry{&yaml.Node{Value: key.Value, Line: at.line}, value}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, e)
		} else {
			own = append(own, e)
		}
	}
	for _, m := range merges {
		own = d.merge(own, m.value, place{path: p.path, line: m.key.Line}, lines)
	}
	return own
}

// merge appends the entries of a merged mapping, or list of mappings, whose keys
// are not taken.
func (d *decoder) merge(own []entry, n *yaml.Node, p place, taken map[string]int) []entry {
	if !d.spend(1) {
		return own
	}
	switch n = follow(n); n.Kind {
	case yaml.MappingNode:
		for _, e := range d.entries(n, p) {
			if _, ok := taken[e.key.Value]; !ok {
				taken[e.key.Value] = e.key.Line
				own = append(own, e)
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			own = d.merge(own, item, p, taken)
		}
	default:
		d.fail(p, "<< wants a mapping, such as *other, got %s", quote(n.Value))
	}
	return own
}

func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
