package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// parse sets v, a single value or a list of texts, from the text of a variable,
// a flag or a tag of this package. The example is for the error; it may be empty.
func parse(text string, v reflect.Value, example string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		var n int
		n, err = strconv.Atoi(text)
		v.SetInt(int64(n))
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.SetFloat(f)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Slice:
		v.Set(reflect.ValueOf(splitList(text)))
	default:
		err = fmt.Errorf("a %s cannot be set from a text", v.Kind())
	}
	if err != nil {
		return fmt.Errorf("want %s, got %s", expected(v.Type(), example), quote(text))
	}
	return nil
}

// splitList splits at commas and drops spaces and empty items.
func splitList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// number returns any numeric value for comparison. Durations and sizes within
// the bounds used here are exact.
func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// expected names a type for a message, with an example.
func expected(t reflect.Type, example string) string {
	what, usual := "a mapping", "{key: value}"
	switch t.Kind() {
	case reflect.String:
		what, usual = "a text", `"abc"`
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		what, usual = "a whole number", "10"
	case reflect.Float64:
		what, usual = "a number", "2.5"
	case reflect.Slice:
		what, usual = "a list", "[a, b]"
	}
	switch t {
	case reflect.TypeFor[Duration]():
		what, usual = "a duration", "45s"
	case reflect.TypeFor[Size]():
		what, usual = "a size", "1MiB"
	}
	if example == "" {
		example = usual
	}
	return what + " such as " + example
}
