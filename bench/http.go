package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// benchHTTP measures `Prefer: wait` at a gateway and a worker that are processes of
// their own, against the bus path with the same worker; and their memory and
// allocations.
func benchHTTP(ctx context.Context, b *bench) (err error) {
	a, err := openArena(ctx, standard)
	if err != nil {
		return err
	}
	defer a.close()
	dir, err := os.MkdirTemp("", "genesis-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := buildPrograms(ctx, dir); err != nil {
		return err
	}
	var programs []*program
	for _, name := range []string{"gateway", "worker"} {
		p, err := startProgram(ctx, dir, name, a.broker.url)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		programs = append(programs, p)
	}
	direct, err := newCaller(a.publisher)
	if err != nil {
		return err
	}
	defer direct.replies.Close()
	prompt := text(256)
	calls := [2]func(context.Context) error{
		func(ctx context.Context) error { return direct.call(ctx, genesisAgent, prompt) },
		newPoster(programs[0].url, prompt).call,
	}
	for _, call := range calls { // both paths are warm, and the results stream is known
		if _, err := callersLatencies(ctx, 1, b.duration/4, call); err != nil {
			return err
		}
	}
	for _, p := range programs {
		b.addFigure(p.name+" memory, little used", "MiB", p.rss(), "RSS")
	}
	for _, callers := range []int{1, 64} {
		if err := b.waits(ctx, callers, calls); err != nil {
			return err
		}
	}
	return b.loaded(ctx, programs, calls[1])
}

// waits compares the two paths with so many callers, in rounds that alternate.
func (b *bench) waits(ctx context.Context, callers int, calls [2]func(context.Context) error) error {
	var took [2][]float64
	for i := range 2 * b.rounds {
		which := (i + i/2) % 2
		more, err := callersLatencies(ctx, callers, b.duration/2, calls[which])
		if err != nil {
			return err
		}
		took[which] = append(took[which], more...)
	}
	b.quantiles(fmt.Sprintf("%d callers wait", callers), took, target{}, "base: the bus path; HTTP with Prefer: wait beside it")
	return nil
}

// loaded reads memory and allocations under a load of 64 callers.
func (b *bench) loaded(ctx context.Context, programs []*program, call func(context.Context) error) error {
	before := make([]float64, len(programs))
	for i, p := range programs {
		var err error
		if before[i], err = p.allocations(ctx); err != nil {
			return err
		}
	}
	took, err := callersLatencies(ctx, 64, 2*b.duration, call)
	if err != nil {
		return err
	}
	for i, p := range programs {
		b.addFigure(p.name+" memory, loaded", "MiB", p.rss(), fmt.Sprintf("RSS after 64 callers; at most %.1f", p.status("VmHWM:")))
		after, err := p.allocations(ctx)
		if err != nil {
			return err
		}
		b.addFigure(p.name+" allocations a request", "allocs", (after-before[i])/float64(len(took)), fmt.Sprintf("%d requests", len(took)))
	}
	return nil
}

// addFigure adds a row that compares nothing.
func (b *bench) addFigure(name, unit string, value float64, note string) {
	b.add(row{Case: name, Unit: unit, Genesis: value, Note: note})
}

// A poster sends one request after the other over HTTP and waits for each result.
type poster struct {
	client *http.Client
	url    string
	body   []byte
}

func newPoster(gateway, prompt string) *poster {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 256
	return &poster{
		client: &http.Client{Transport: t, Timeout: time.Minute},
		url:    gateway + "/v1/agents/" + genesisAgent + "/requests",
		body:   fmt.Appendf(nil, `{"prompt":%q}`, prompt),
	}
}

func (p *poster) call(ctx context.Context) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Prefer", "wait=30")
	r, err := p.client.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s: %s", p.url, r.Status, answer)
	}
	return nil
}
