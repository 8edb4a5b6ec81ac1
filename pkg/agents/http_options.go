package agents

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// parseTarget checks the URL tasks are posted to. Its errors do not repeat the
// whole URL, which may hold a password or a key.
func parseTarget(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("the url is empty")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("the url does not parse: %w", withoutURL(err))
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("url %s: want http:// or https:// at its beginning", label(u))
	case u.Hostname() == "":
		return nil, fmt.Errorf("url %s: has no host", label(u))
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// withoutURL takes the URL out of an error of net/url.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// basicAuth is the Authorization header of a URL's user and password.
func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// label is a URL without user, password and query, fit for errors and logs.
func label(u *url.URL) string {
	public := url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path}
	return public.String()
}

// parseHeaders checks custom headers. Host is not a header to net/http, so it is
// returned apart. Its errors do not repeat values, which may be secret.
func parseHeaders(custom map[string]string) (header http.Header, host string, err error) {
	header = http.Header{"User-Agent": {"genesis"}}
	given := make(map[string]bool, len(custom))
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		value, key := custom[name], http.CanonicalHeaderKey(name)
		if !isToken(name) {
			return nil, "", fmt.Errorf("header %q: the name is not valid", name)
		}
		if !isFieldValue(value) {
			return nil, "", fmt.Errorf("header %s: the value has characters that are not allowed", name)
		}
		if given[key] {
			return nil, "", fmt.Errorf("header %s: is given twice, in different case", name)
		}
		given[key] = true
		switch key {
		case "Host":
			host = value
			continue
		case "Content-Type", "Idempotency-Key", "Content-Length", "Transfer-Encoding",
			"Accept-Encoding", "Connection", "Trailer", "Upgrade":
			return nil, "", fmt.Errorf("header %s: is set by the agent itself", name)
		}
		header.Set(key, value)
	}
	return header, host, nil
}

// isToken reports whether s can be a header's name (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := (c|0x20 >= 'a' && c|0x20 <= 'z') || (c >= '0' && c <= '9')
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s can be a header's value: no control characters
// but the tab, so that nothing can be smuggled in behind a line end.
func isFieldValue(s string) bool {
	for _, c := range []byte(s) {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}
