package config

import (
	"net/url"
	"time"
)

// Monitor is the program that watches all others, and says on the bus how they are.
type Monitor struct {
	// HTTP is the address of the console and of what monitors tell over HTTP; port 0 takes a free one. Default: 127.0.0.1:8081.
	HTTP string `yaml:"http" required:"true" example:"127.0.0.1:8081"`
	// Interval is the time from one look at everything to the next. Default: 30s, and 1s in genesis up.
	Interval Duration `yaml:"interval" min:"100ms" max:"10m"`
	// History is how many rounds are remembered. Default: 100.
	History int `yaml:"history" min:"1" max:"10000"`
	// WorseAfter is how many rounds in a row must say so before a state worsens. What is certain, such as a lost worker, needs one. Default: 2.
	WorseAfter int `yaml:"worse_after" min:"1" max:"64"`
	// BetterAfter is how many rounds in a row must say so before a state improves; doubled at each relapse within an hour, up to 64. Default: 3.
	BetterAfter int `yaml:"better_after" min:"1" max:"64"`
	// VerifyInterval is how often it is verified that no request is missing; 0s: never. Default: 1h.
	VerifyInterval Duration `yaml:"verify_interval" min:"0s" max:"720h"`
	// Webhook is told of every change of a state.
	Webhook Webhook `yaml:"webhook"`
	// Thresholds say when something counts as degraded, and when as unhealthy. A value of 0 is never.
	Thresholds Thresholds `yaml:"thresholds"`
	// Agents have thresholds of their own, by name. What is left out is as in thresholds.
	Agents map[string]Thresholds `yaml:"agents,omitempty" example:"{echo: {lag: {degraded: 50}}}"`
}

// Webhook is who is told of every change of a state, by HTTP.
type Webhook struct {
	// URL is where each event is posted. Empty: nobody is told. Default: empty.
	URL string `yaml:"url" example:"https://example.com/genesis"`
	// Timeout bounds one attempt. Default: 5s.
	Timeout Duration `yaml:"timeout" above:"0s" max:"1h"`
	// MaxAttempts is how often one event is tried before it is given up, with pauses of up to half a minute: 20 are about eight minutes. Default: 20.
	MaxAttempts int `yaml:"max_attempts" min:"1" max:"100"`
	// Queue is how many events may wait; beyond it the oldest gives way. Default: 1000.
	Queue int `yaml:"queue" min:"1" max:"100000"`
	// Headers are sent with each event. They are printed in the clear by genesis config print.
	Headers map[string]string `yaml:"headers,omitempty" example:"{X-Team: a}"`
}

func defaultMonitor() Monitor {
	return Monitor{
		HTTP:           "127.0.0.1:8081",
		Interval:       seconds(30),
		History:        100,
		WorseAfter:     2,
		BetterAfter:    3,
		VerifyInterval: seconds(3600),
		Webhook:        defaultWebhook(),
		Thresholds:     defaultThresholds(),
	}
}

func defaultWebhook() Webhook {
	return Webhook{Timeout: seconds(5), MaxAttempts: 20, Queue: 1000}
}

// AgentsConfigured reports whether somebody named the agents. Otherwise they are the built-in
// ones, which need not be there.
func (c *Config) AgentsConfigured() bool { return c.written("agents") }

// MonitorInterval returns monitor.interval as it was configured, or otherwise when nobody
// set one.
func (c *Config) MonitorInterval(otherwise time.Duration) time.Duration {
	if c.written("monitor", "interval") {
		return c.Monitor.Interval.Std()
	}
	return otherwise
}

func (m Monitor) check(r *report, agents map[string]Agent) {
	r.address("monitor.http", m.HTTP)
	m.Webhook.check(r, "monitor.webhook")
	m.checkThresholds(r, agents)
}

// check never repeats the URL, which may hold a password.
func (w Webhook) check(r *report, path string) {
	if w.URL != "" {
		if u, err := url.Parse(w.URL); err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
			r.add(join(path, "url"), "not an http or https URL with a host; write for example https://example.com/genesis, or nothing")
		}
	}
	r.headers(join(path, "headers"), w.Headers)
}
