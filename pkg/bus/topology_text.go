package bus

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	noneText      = "none"
	unlimitedText = "unlimited"
)

func subjectsText(subjects []string) string {
	list := slices.Clone(subjects)
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func countText(n int64) string {
	if n <= 0 {
		return unlimitedText
	}
	return strconv.FormatInt(n, 10)
}

func ageText(d time.Duration) string {
	if d <= 0 {
		return unlimitedText
	}
	return d.String()
}

// objectText writes a group of settings as its JSON.
func objectText[T any](v *T) string {
	if v == nil {
		return noneText
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if string(text) == "{}" {
		return noneText
	}
	return string(text)
}

// sourcesText writes a list of sources, in the order of their texts: the server's
// is its own.
func sourcesText(sources []*jetstream.StreamSource) string {
	if len(sources) == 0 {
		return noneText
	}
	list := make([]string, len(sources))
	for i, s := range sources {
		list[i] = objectText(s)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// withoutSources names the streams in from that are not in to.
func withoutSources(from, to []*jetstream.StreamSource) string {
	var lost []string
	for _, s := range from {
		if !slices.ContainsFunc(to, func(o *jetstream.StreamSource) bool { return objectText(o) == objectText(s) }) {
			lost = append(lost, s.Name)
		}
	}
	return subjectsText(lost)
}

func metadataText(m map[string]string) string {
	if len(m) == 0 {
		return noneText
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, key+"="+m[key])
	}
	return strings.Join(list, ", ")
}
