package monitor

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// scrape is what a monitor's metrics say.
func scrape(t *testing.T, m *metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.registry.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}
