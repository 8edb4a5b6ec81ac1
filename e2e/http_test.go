package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A caller makes HTTP calls on behalf of a test.
type caller struct {
	t      *testing.T
	client *http.Client
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{t, &http.Client{Transport: transport, Timeout: patience}}
}

// get returns a page, and an error unless its status is 200.
func (c *caller) get(url string) ([]byte, error) {
	return c.call(http.MethodGet, url, "", http.StatusOK)
}

// ask reads the JSON at a URL into v.
func (c *caller) ask(url string, v any) error {
	body, err := c.get(url)
	if err != nil {
		return err
	}
	return json.NewDecoder(bytes.NewReader(body)).Decode(v)
}

func (c *caller) call(method, url, body string, want int) ([]byte, error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s %s: got %s %s, want %d", method, url, resp.Status, text, want)
	}
	return text, nil
}
