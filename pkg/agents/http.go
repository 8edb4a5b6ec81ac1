package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"time"

	"genesis/pkg/resilience"
)

const (
	// defaultMaxResponse bounds a response's body when the options say nothing.
	defaultMaxResponse = 1 << 20

	// maxIdle bounds the idle connections kept for reuse. It does not bound how
	// many are in use: an agent's slots do.
	maxIdle = 64
)

// HTTPOptions configures an agent that is a web service. URL is required.
type HTTPOptions struct {
	// URL is where tasks are posted: http or https, with a host. A user and
	// password in it are sent as basic authentication, unless Headers has an
	// Authorization.
	URL string

	// Headers are sent with each request. Content-Type, Idempotency-Key and the
	// headers that frame a message are the agent's own and cannot be set.
	Headers map[string]string

	// MaxResponse bounds the body of a response, in bytes, after decompression.
	// Zero or less: 1 MiB.
	MaxResponse int64

	// Inject adds to the header of each request what its context carries, such as a
	// trace. It is called concurrently. It may be nil.
	Inject func(ctx context.Context, header http.Header)
}

// NewHTTP returns an agent that posts each task to a URL and takes the response
// for its answer. It sends
//
//	{"id": "...", "method": "...", "prompt": "...", "input": {...}, "metadata": {...}, "attempt": 1}
//
// as application/json, without input or metadata when the task has none, and
// with the id as Idempotency-Key. The time is bounded by the context alone.
//
// What a response means goes by its status. 2xx is the answer; 408, 425, 429 and
// whatever is not named here, 5xx above all, is retryable, and a Retry-After of up
// to an hour (longer counts as an hour) becomes a resilience.RetryAfter; other
// 4xx are permanent, and so is 3xx, for no redirect is followed. The error holds
// the status and the first 200 bytes of the body. A request that got no response
// is retryable.
//
// What the answer is goes by its Content-Type. A JSON object is the output as it
// is; a JSON string and any text/* are {"text": ...}; other JSON is
// {"value": ...}. A body without Content-Type is JSON if it can be, else text; an
// empty one is {"text": ""}. JSON that does not parse is retryable; other types
// and a body beyond MaxResponse are permanent errors.
//
// A URL or header that cannot work is an error here. The agent keeps one
// connection pool and is an io.Closer: Close drops the idle connections.
func NewHTTP(o HTTPOptions) (Agent, error) {
	target, err := parseTarget(o.URL)
	if err != nil {
		return nil, fmt.Errorf("http agent: %w", err)
	}
	header, host, err := parseHeaders(o.Headers)
	if err != nil {
		return nil, fmt.Errorf("http agent: %w", err)
	}
	header.Set("Content-Type", "application/json")
	if user := target.User; user != nil && header.Get("Authorization") == "" {
		header.Set("Authorization", basicAuth(user))
	}
	target.User = nil
	if o.MaxResponse <= 0 {
		o.MaxResponse = defaultMaxResponse
	}
	return &httpAgent{
		url:       target.String(),
		label:     label(target),
		header:    header,
		host:      host,
		limit:     min(o.MaxResponse, math.MaxInt64-1), // one more is read to see an excess
		inject:    o.Inject,
		transport: newTransport(),
	}, nil
}

// httpAgent uses a transport without a client, which would only add cookies and
// redirects.
type httpAgent struct {
	url       string
	label     string // the URL as errors show it
	header    http.Header
	host      string
	limit     int64
	inject    func(context.Context, http.Header) // nil: nothing
	transport *http.Transport
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// httpTask is a [Task] as it is posted.
type httpTask struct {
	ID       string          `json:"id"`
	Method   string          `json:"method"`
	Prompt   string          `json:"prompt"`
	Input    json.RawMessage `json:"input,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Attempt  int             `json:"attempt"`
}

// Handle implements [Agent].
func (a *httpAgent) Handle(ctx context.Context, t Task) (Result, error) {
	request, err := a.request(ctx, t)
	if err != nil {
		return Result{}, resilience.Permanent(fmt.Errorf("post %s: %w", a.label, err))
	}
	response, err := a.transport.RoundTrip(request)
	if err != nil {
		return Result{}, fmt.Errorf("post %s: %w", a.label, err)
	}
	defer func() { _ = response.Body.Close() }()

	output, err := a.answer(response)
	if err != nil {
		return Result{}, fmt.Errorf("post %s: %w", a.label, err)
	}
	return Result{Output: output}, nil
}

// Close drops the idle connections. It may be called more than once.
func (a *httpAgent) Close() error {
	a.transport.CloseIdleConnections()
	return nil
}

func (a *httpAgent) request(ctx context.Context, t Task) (*http.Request, error) {
	body, err := json.Marshal(httpTask{t.ID, t.Method, t.Prompt, t.Input, t.Metadata, t.Attempt})
	if err != nil {
		return nil, fmt.Errorf("encode the task: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header = a.header.Clone()
	if t.ID != "" {
		request.Header.Set("Idempotency-Key", t.ID)
	}
	if a.inject != nil {
		a.inject(ctx, request.Header)
	}
	if a.host != "" {
		request.Host = a.host
	}
	return request, nil
}

// answer turns a response into an output or a verdict.
func (a *httpAgent) answer(r *http.Response) (json.RawMessage, error) {
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return nil, refusal(r)
	}
	if r.ContentLength > a.limit {
		return nil, a.oversized()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, a.limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > a.limit {
		return nil, a.oversized()
	}
	return decodeAnswer(r.Header.Get("Content-Type"), body)
}

func (a *httpAgent) oversized() error {
	return resilience.Permanent(fmt.Errorf("the answer is longer than the limit of %d bytes", a.limit))
}
