package worker

import (
	"time"

	"genesis/internal/config"
	"genesis/internal/telemetry"
	"genesis/pkg/agents"
	"genesis/pkg/bus"
	"genesis/pkg/resilience"
)

// newPools makes a pool for each agent that is served.
func (s *Server) newPools(metrics *telemetry.Worker) error {
	for _, name := range s.names {
		agent, _ := s.registry.Get(name) // served has looked
		o := s.poolOptions(name, agent)
		deliveries := s.o.Tracing.Deliveries(name, s.o.Name)
		o.Handler = within(deliveries, o.Handler)
		told := []func(bus.Settlement){deliveries.Settled, metrics.Agent(name).Observe, telemetry.SettlementLog(s.log.With("agent", name))}
		if s.own {
			room := s.guards.room(s.o.Config.Agents[name])
			o.Room = room.calls
			told = append(told, room.observe)
		}
		o.Observe = func(settled bus.Settlement) {
			for _, tell := range told {
				tell(settled)
			}
		}
		pool, err := s.o.Bus.NewPool(o)
		if err != nil {
			return err
		}
		metrics.Slots(name, pool.Stats)
		s.pools[name] = pool
		s.use(name, pool)
	}
	return nil
}

// use notes which providers the pool's agent calls.
func (s *Server) use(name string, pool *bus.Pool) {
	if !s.own {
		return // who knows what it calls
	}
	called := make(map[string]bool)
	for _, rung := range s.o.Config.Agents[name].Ladder {
		if rung.Provider != "" && !called[rung.Provider] {
			called[rung.Provider] = true
			s.users[rung.Provider] = append(s.users[rung.Provider], pool)
		}
	}
}

func (s *Server) poolOptions(name string, agent agents.Agent) bus.PoolOptions {
	a := settings(s.o.Config, name)
	return bus.PoolOptions{
		Agent:       name,
		Handler:     handler(agent, a.Timeout.Std()),
		Worker:      s.o.Name,
		Slots:       a.Slots,
		Reserved:    a.ReservedSlots(),
		AckWait:     a.AckWait.Std(),
		MaxAttempts: a.Delivery.MaxAttempts,
		Backoff: resilience.Backoff{
			InitialDelay: written(a.Delivery.InitialDelay),
			MaxDelay:     written(a.Delivery.MaxDelay),
			Factor:       a.Delivery.BackoffFactor,
			Jitter:       a.Delivery.Jitter,
		},
		DrainTimeout: written(s.o.Config.Worker.DrainTimeout),
		Logger:       s.log,
	}
}

// settings are an agent's, or the defaults for one that is not in the configuration.
func settings(cfg *config.Config, name string) config.Agent {
	if a, ok := cfg.Agents[name]; ok {
		return a
	}
	a := config.NewAgent(name)
	a.Timeout = cfg.Defaults.Timeout
	return a
}

// written is a duration of the configuration, where 0 means none, for packages whose
// 0 means their default.
func written(d config.Duration) time.Duration { return max(d.Std(), 1) }
