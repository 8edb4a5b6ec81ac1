package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestThePageRunsUnderAPolicyThatAllowsNothingInline(t *testing.T) {
	c := showing(t, busy())
	for _, path := range []string{"/", "/assets/console.js", "/assets/nothing.js", "/nothing"} {
		h := get(t, c, path).Header()
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy is %q, want it to hold %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: the policy is %q, want nothing unsafe in it", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", path, name, got, want)
			}
		}
	}
	for _, n := range all(page(t, busy()), "") {
		if n.Data == "style" || n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
			t.Errorf("the page has an inline <%s>, which its policy forbids", n.Data)
		}
	}
}

func TestThePageIsWholeFromThisServerAlone(t *testing.T) {
	c := showing(t, busy())
	files := 0
	for _, n := range all(page(t, busy()), "") {
		ref := attr(n, "src")
		if n.Data == "link" {
			ref = attr(n, "href")
		}
		if ref == "" {
			continue
		}
		files++
		w := get(t, c, "/"+ref)
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s = %d with %d bytes, want it to be there", ref, w.Code, w.Body.Len())
		}
		want := map[string]string{"link": "text/css; charset=utf-8", "script": "text/javascript; charset=utf-8"}[n.Data]
		if attr(n, "rel") == "icon" {
			want = "image/svg+xml"
		}
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%s is %q, want %q", ref, got, want)
		}
		lasting := strings.Contains(w.Header().Get("Cache-Control"), "immutable")
		if lasting != strings.Contains(ref, "?v=") {
			t.Errorf("%s: Cache-Control = %q; want only what is asked for by its build to be kept for good", ref, w.Header().Get("Cache-Control"))
		}
	}
	if files != 3 {
		t.Errorf("the page takes %d files, want 3: style, script and icon", files)
	}
	for _, state := range []State{Healthy, Degraded, Unhealthy, ""} {
		if w := get(t, c, "/assets/icon-"+state.Class()+".svg"); w.Code != http.StatusOK {
			t.Errorf("the icon of %q = %d, want 200", state, w.Code)
		}
	}
	if got := get(t, c, "/assets/console.css?v=older").Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("what is asked for by another build: Cache-Control = %q, want no-cache", got)
	}
}

func TestThePageOnlyReads(t *testing.T) {
	c := showing(t, busy())
	for _, path := range []string{"/", "/live", "/assets/console.css"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			w := httptest.NewRecorder()
			c.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s = %d, want 405", method, path, w.Code)
			}
		}
	}
	for _, n := range all(page(t, busy()), "") {
		switch n.Data {
		case "form", "input", "button", "textarea", "select", "iframe", "object":
			t.Errorf("the page has a <%s>", n.Data)
		}
	}
}

func TestAConsoleWithoutAViewIsRefused(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "View") {
		t.Errorf("New without a View = %v, want an error that names it", err)
	}
}
