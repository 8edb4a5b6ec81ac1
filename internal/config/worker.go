package config

import "slices"

// Worker is the program that executes requests.
type Worker struct {
	// HTTP is the address of the worker's health and metrics; port 0 takes a free one. Default: 127.0.0.1:8082.
	HTTP string `yaml:"http" required:"true" example:"127.0.0.1:8082"`
	// Agents names the agents this worker serves. Empty: all of them. Default: empty.
	Agents []string `yaml:"agents" example:"[echo, assistant]"`
	// DrainTimeout bounds how long a stopping worker finishes what it holds before it gives the rest back; 0s does not wait. Default: 30s.
	DrainTimeout Duration `yaml:"drain_timeout" min:"0s" max:"24h"`
}

// Defaults holds the timeouts used where nothing closer sets one.
type Defaults struct {
	// Timeout bounds one execution of an agent that sets none itself. Default: 30s.
	Timeout Duration `yaml:"timeout" above:"0s" max:"24h"`
	// LLMTimeout bounds one call of a model. Default: 60s.
	LLMTimeout Duration `yaml:"llm_timeout" above:"0s" max:"24h"`
	// DatabaseTimeout bounds one call of a database. Default: 10s.
	DatabaseTimeout Duration `yaml:"database_timeout" above:"0s" max:"24h"`
	// RedisTimeout bounds one call of Redis. Default: 5s.
	RedisTimeout Duration `yaml:"redis_timeout" above:"0s" max:"24h"`
}

func defaultWorker() Worker {
	return Worker{HTTP: "127.0.0.1:8082", DrainTimeout: seconds(30)}
}

func defaultTimeouts() Defaults {
	return Defaults{
		Timeout:         seconds(30),
		LLMTimeout:      seconds(60),
		DatabaseTimeout: seconds(10),
		RedisTimeout:    seconds(5),
	}
}

func (w Worker) check(r *report, agents map[string]Agent) {
	r.address("worker.http", w.HTTP)
	seen := make(map[string]bool, len(w.Agents))
	for i, name := range w.Agents {
		path := index("worker.agents", i)
		if _, ok := agents[name]; !ok {
			r.unknown(path, "agents", name)
		} else if seen[name] {
			r.add(path, "agent %s is listed twice, first at position %d", quote(name), slices.Index(w.Agents, name)+1)
		}
		seen[name] = true
	}
}
