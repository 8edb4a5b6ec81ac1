package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// serveControl takes commands while the broker is there, until ctx ends.
func (s *Server) serveControl(ctx context.Context) error {
	for !s.bus.Connected() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	control, err := s.bus.ServeControl(bus.ComponentMonitor, s.version, map[string]bus.ControlFunc{bus.CommandLag: s.commandLag})
	if err != nil {
		s.log.Error("commands cannot be taken", "error", err)
		return nil
	}
	<-ctx.Done()
	if err := control.Close(); err != nil {
		s.log.Debug("stop serving commands", "error", err)
	}
	return nil
}

func (s *Server) commandLag(data []byte) (any, error) {
	var c health.LagCommand
	if len(data) > 0 {
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("lag: %w", err)
		}
	}
	return s.lag(c.Agent, 0)
}
