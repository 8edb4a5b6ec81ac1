package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// namePattern is the wire contract's for agents; providers follow it.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Validate returns all that is wrong with the values, joined, or nil. Load has
// called it; a caller that changes a Config by hand calls it again. Each error
// is an *Error that names the line or variable its value came from.
func (c *Config) Validate() error {
	p := c.check()
	return p.err()
}

// check runs the checks of each section, then those the tags of the fields
// ask for; the former say more, and the first error of a path stands.
func (c *Config) check() problems {
	r := &report{config: c}
	c.NATS.check(r)
	c.Gateway.check(r)
	c.Worker.check(r, c.Agents)
	c.Monitor.check(r, c.Agents)
	c.checkPolicies(r)
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		r.name(join("providers", name), "a provider", name)
		c.Providers[name].check(r, join("providers", name))
	}
	if len(c.Agents) == 0 {
		r.add("agents", "there are none; add one, or remove the section to use the built-in ones")
	}
	for _, name := range c.AgentNames() {
		r.name(join("agents", name), "an agent", name)
		c.Agents[name].check(r, join("agents", name), c.Providers)
		if c.Agents[name].Timeout == c.Defaults.Timeout && !c.written("agents", name, "timeout") {
			r.skip(join(join("agents", name), "timeout")) // defaults.timeout is checked instead
		}
	}
	r.tags("", reflect.ValueOf(c).Elem())
	return r.problems
}

// report collects what the checks find.
type report struct {
	config *Config
	known  map[string][]string // sorted names of a section, made when first needed
	problems
}

func (r *report) add(path, format string, args ...any) {
	r.addError(&Error{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *report) addError(e *Error) {
	at := r.config.origins.of(e.Path)
	e.File, e.Line, e.Source = at.file, at.line, at.source
	r.problems.add(e)
}

// unknown reports a name that is not in the section of that name.
func (r *report) unknown(path, section, name string) {
	hint := ""
	if !r.full() {
		if r.known == nil {
			r.known = map[string][]string{
				"agents":    r.config.AgentNames(),
				"providers": slices.Sorted(maps.Keys(r.config.Providers)),
				"policies":  append(slices.Sorted(maps.Keys(r.config.Policies)), PolicyNone),
			}
		}
		hint = didYouMean(name, r.known[section])
	}
	one := strings.TrimSuffix(section, "s")
	if section == "policies" {
		one = "policy"
	}
	r.addError(&Error{
		Path: path, refers: section,
		Message: fmt.Sprintf("unknown %s %s%s", one, quote(name), hint),
	})
}

func (r *report) name(path, what, name string) {
	if !namePattern.MatchString(name) {
		r.add(path, "%s cannot name %s; use a small letter, then up to 31 small letters, digits and -", quote(name), what)
	}
}

func (r *report) address(path, address string) {
	if address == "" {
		return // the tag required says it
	}
	if err := validAddress(address); err != nil {
		r.add(path, "%s is not an address: %v; write host:port, for example 127.0.0.1:8080", quote(address), err)
	}
}

// tags checks the bounds that the fields of v carry.
func (r *report) tags(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.tags(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if key := keyOf(f); key != "" {
				at := join(path, key)
				r.field(at, f, v.Field(i))
				r.tags(at, v.Field(i))
			}
		}
	case reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
			return strings.Compare(a.String(), b.String())
		}) {
			r.tags(join(path, key.String()), v.MapIndex(key))
		}
	case reflect.Slice:
		for i := range v.Len() {
			r.tags(index(path, i), v.Index(i))
		}
	}
}

// field checks one field against its tags: required, enum, and min, above, max. What
// is optional may be zero, as long as nobody wrote that.
func (r *report) field(path string, f reflect.StructField, v reflect.Value) {
	if f.Tag.Get("required") != "" && (v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0) {
		r.add(path, "missing; write %s", expected(f.Type, f.Tag.Get("example")))
		return
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		r.enum(path, strings.Split(enum, ","), v)
		return
	}
	if f.Tag.Get("optional") != "" && v.IsZero() && !r.config.wrote(path) {
		return
	}
	lowest, atLeast := f.Tag.Lookup("min")
	floor, moreThan := f.Tag.Lookup("above")
	highest, atMost := f.Tag.Lookup("max")
	if !atLeast && !moreThan && !atMost {
		return
	}
	n := number(v)
	if (!atLeast || n >= bound(f, lowest)) && (!moreThan || n > bound(f, floor)) && (!atMost || n <= bound(f, highest)) {
		return
	}
	want := "from " + lowest + " to " + highest
	if moreThan {
		want = "more than " + floor + " and at most " + highest
	}
	if why := f.Tag.Get("why"); why != "" {
		want += " (" + why + ")"
	}
	r.add(path, "must be %s, got %v", want, v.Interface())
}

// bound parses a bound of a field's tag. The tags are constants of this package,
// and a test parses them all.
func bound(f reflect.StructField, text string) float64 {
	v := reflect.New(f.Type).Elem()
	_ = parse(text, v, "")
	return number(v)
}

func (r *report) enum(path string, allowed []string, v reflect.Value) {
	got := fmt.Sprint(v.Interface())
	if slices.Contains(allowed, got) {
		return
	}
	hint := ""
	if v.Kind() == reflect.String {
		if near := nearest(got, allowed); near != "" {
			hint = "; did you mean " + quote(near) + "?"
		}
		got = quote(got)
	}
	last := len(allowed) - 1
	r.add(path, "must be %s or %s, got %s%s", strings.Join(allowed[:last], ", "), allowed[last], got, hint)
}
