package telemetry

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// An envReader reads variables and collects what is wrong with them.
type envReader struct {
	env  func(string) (string, bool)
	errs []error
}

// get returns a variable; one that is empty counts as not set.
func (r *envReader) get(name string) string {
	if r.env == nil {
		return ""
	}
	value, _ := r.env(name)
	return strings.TrimSpace(value)
}

func (r *envReader) refuse(name, value, want string) {
	r.errs = append(r.errs, fmt.Errorf("%s is %q: %s", name, value, want))
}

func (r *envReader) url(name, raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		r.refuse(name, raw, "use a URL such as "+defaultEndpoint)
		return &url.URL{}
	}
	return u
}

// attributes reads pairs, such as a=b,c=d, with percent signs for what is special.
func (r *envReader) attributes(name string) []attribute.KeyValue {
	raw := r.get(name)
	var pairs []attribute.KeyValue
	for pair := range strings.SplitSeq(raw, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || key == "" || err != nil {
			// The value may be a secret.
			r.errs = append(r.errs, fmt.Errorf("%s: want pairs such as key=value,key2=value2, in percent-encoding", name))
			return nil
		}
		pairs = append(pairs, attribute.String(key, value))
	}
	return pairs
}

// number reads a number that is not below least; 0 is the one that is used when there is none.
func (r *envReader) number(name string, otherwise, least int) int {
	raw := r.get(name)
	if raw == "" {
		return otherwise
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < least {
		r.refuse(name, raw, fmt.Sprintf("use a number of %d or more", least))
		return otherwise
	}
	return n
}

func (r *envReader) milliseconds(name string, otherwise int) time.Duration {
	return time.Duration(r.number(name, otherwise, 1)) * time.Millisecond
}
