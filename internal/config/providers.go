package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The kinds of provider built into this version.
const (
	KindEcho      = "echo"
	KindProbe     = "probe"
	KindSimulated = "simulated"
	KindHTTP      = "http"
)

const defaultMaxResponse = MiB

// Provider is a thing that can answer; rungs refer to it by name. Only the kind
// http takes more than its kind and policy.
type Provider struct {
	// Kind is what answers: echo (returns its input), probe (does what its input says, for drills), simulated (a stand-in for a model, labelled so) or http (a URL).
	Kind string `yaml:"kind" required:"true" enum:"echo,probe,simulated,http" example:"echo"`
	// URL is where the kind http posts each request.
	URL string `yaml:"url,omitempty" example:"http://127.0.0.1:9000/price"`
	// Headers are sent with each request of the kind http. They are printed in the clear by genesis config print.
	Headers map[string]string `yaml:"headers,omitempty" example:"{X-Team: a}"`
	// MaxResponse is the largest answer the kind http accepts. Default: 1MiB.
	MaxResponse Size `yaml:"max_response,omitempty"`
	// Policy names the policy of its calls; none for no policy. Default: api_calls for the kind http, otherwise none.
	Policy string `yaml:"policy" example:"api_calls"`
}

// builtinProviders are known without being configured.
func builtinProviders() map[string]Provider {
	return map[string]Provider{
		KindEcho:      {Kind: KindEcho},
		KindProbe:     {Kind: KindProbe},
		KindSimulated: {Kind: KindSimulated},
	}
}

// defaultPolicy is for what goes over a network, and may fail by itself.
func (p Provider) defaultPolicy() string {
	if p.Kind == KindHTTP {
		return PolicyAPICalls
	}
	return PolicyNone
}

func (p Provider) check(r *report, path string) {
	p.checkPolicy(r, path)
	if p.Kind == KindHTTP {
		p.checkHTTP(r, path)
		return
	}
	const only = "only the kind http has it; remove it or write kind: http"
	if p.URL != "" {
		r.add(join(path, "url"), only)
	}
	if len(p.Headers) > 0 {
		r.add(join(path, "headers"), only)
	}
	if p.MaxResponse != 0 {
		r.add(join(path, "max_response"), only)
	}
}

// headerName is the token of RFC 9110.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (p Provider) checkHTTP(r *report, path string) {
	const example = "write for example http://127.0.0.1:9000/price"
	u, err := url.Parse(p.URL)
	switch at := join(path, "url"); {
	case p.URL == "":
		r.add(at, "the kind http needs it; "+example)
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		r.add(at, "not an http or https URL with a host; "+example)
	}
	if p.MaxResponse < KiB || p.MaxResponse > 64*MiB {
		r.add(join(path, "max_response"), "must be from 1KiB to 64MiB, got %s", p.MaxResponse)
	}
	r.headers(join(path, "headers"), p.Headers)
}

func (r *report) headers(path string, headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		at := join(path, name)
		if !headerName.MatchString(name) {
			r.add(at, "%s is not a header name; use letters, digits and -", quote(name))
		}
		if strings.ContainsFunc(headers[name], isControl) {
			r.add(at, "the value holds a control character, which no header may")
		}
	}
}

// isControl reports a byte HTTP forbids in a header's value; tab is allowed.
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
