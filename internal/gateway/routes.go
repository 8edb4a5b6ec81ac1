package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// routes puts the gateway together: every path there is, once.
func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	d := newDocument(humago.New(mux, apiConfig(s.version)))
	huma.Register(d.api, d.submit(), s.submit)
	huma.Register(d.api, d.lookup(), s.lookup)
	huma.Register(d.api, d.cancel(), s.cancel)
	huma.Register(d.api, d.agents(), s.listAgents)
	huma.Register(d.api, d.status(), s.status)
	huma.Register(d.api, d.live(), s.live)
	huma.Register(d.api, d.ready(), s.ready)
	huma.Register(d.api, d.detailed(), s.detailed)
	mux.Handle("GET /metrics", s.metrics.registry.Handler())
	openapi, err := json.Marshal(d.finish())
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openapi) // whoever has gone needs no document
	})
	mux.Handle("/", unrouted(mux))
	return s.tracing.Handler(s.guard(mux)), nil
}

type agentsInput struct{ exchange }

type agentsOutput struct{ Body []AgentView }

// listAgents is GET /v1/agents.
func (s *Server) listAgents(ctx context.Context, in *agentsInput) (*agentsOutput, error) {
	if _, err := s.access.admit(in.w, in.r); err != nil {
		return nil, err
	}
	var views []AgentView
	err := s.metrics.listAgents.Do(ctx, func(ctx context.Context) (err error) {
		views, err = s.views(ctx)
		return err
	})
	if err != nil {
		return nil, s.logged(ctx, problemOf(err))
	}
	return &agentsOutput{views}, nil
}
