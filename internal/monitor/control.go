package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"genesis/internal/health"
	"genesis/pkg/bus"
)

// serveControl takes commands from when the broker is there until ctx ends.
func (s *Server) serveControl(ctx context.Context) error {
	for logged := false; ; {
		if s.bus.Connected() {
			control, err := s.bus.ServeControl(bus.ComponentMonitor, s.version, map[string]bus.ControlFunc{bus.CommandLag: s.commandLag})
			if err == nil {
				<-ctx.Done()
				if err := control.Close(); err != nil {
					s.log.Debug("stop serving commands", "error", err)
				}
				return nil
			}
			if !logged {
				logged = true
				s.log.Error("commands cannot be taken", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
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
