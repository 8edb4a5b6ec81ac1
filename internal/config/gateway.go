package config

import "math"

// Gateway is the HTTP front door: its address, who may use it, and its limits.
type Gateway struct {
	// HTTP is the address to listen on; port 0 takes a free one. An address that is not loopback needs keys_file. Default: 127.0.0.1:8080.
	HTTP string `yaml:"http" required:"true" example:"127.0.0.1:8080"`
	// KeysFile is the path of the API keys, kept by genesis keys. Empty: no keys, which only loopback in development may do. Default: empty.
	KeysFile string `yaml:"keys_file" example:"/etc/genesis/keys.json"`
	// MaxBody is the largest request body accepted. Default: 1MiB.
	MaxBody Size `yaml:"max_body" min:"1KiB" max:"64MiB"`
	// MaxWaiters is how many callers may wait for a result at once; the next is answered 202 at once, its request accepted all the same. Default: 20000.
	MaxWaiters int `yaml:"max_waiters" min:"1" max:"1000000"`
	// RateLimit bounds each client. Default: no limit.
	RateLimit RateLimit `yaml:"rate_limit"`
	// ReadTimeout bounds the reading of one request, headers and body. Default: 10s.
	ReadTimeout Duration `yaml:"read_timeout" above:"0s" max:"24h"`
	// IdleTimeout closes a kept-alive connection nobody uses. Default: 60s.
	IdleTimeout Duration `yaml:"idle_timeout" above:"0s" max:"24h"`
	// DrainTimeout bounds how long a stopping gateway waits for the requests it holds; 0s does not wait. Default: 15s.
	DrainTimeout Duration `yaml:"drain_timeout" min:"0s" max:"24h"`
}

// RateLimit bounds the requests of one client.
type RateLimit struct {
	// RequestsPerSecond is the sustained rate of one client; 0 is no limit. Default: 0.
	RequestsPerSecond float64 `yaml:"requests_per_second" min:"0" max:"1000000" example:"50"`
	// Burst is how many requests may come at once; 0 is one second's worth. Default: 0.
	Burst int `yaml:"burst" min:"0" max:"1000000" example:"100"`
}

func defaultGateway() Gateway {
	return Gateway{
		HTTP:         "127.0.0.1:8080",
		MaxBody:      MiB,
		MaxWaiters:   20000,
		ReadTimeout:  seconds(10),
		IdleTimeout:  seconds(60),
		DrainTimeout: seconds(15),
	}
}

// Loopback reports whether only this machine can reach the gateway.
func (g Gateway) Loopback() bool { return loopback(g.HTTP) }

// Enabled reports whether there is a limit at all.
func (l RateLimit) Enabled() bool { return l.RequestsPerSecond > 0 }

// Depth returns the burst to allow, never below 1: Burst, or when that is unset
// one second's worth of requests.
func (l RateLimit) Depth() int {
	if l.Burst > 0 {
		return l.Burst
	}
	return max(1, int(math.Ceil(l.RequestsPerSecond)))
}

func (g Gateway) check(r *report) {
	r.address("gateway.http", g.HTTP)
	if validAddress(g.HTTP) == nil && !g.Loopback() && g.KeysFile == "" {
		r.add("gateway.keys_file", "needed because gateway.http %s is not loopback; "+
			"set it to a path and run `genesis keys add NAME`, or listen on 127.0.0.1", quote(g.HTTP))
	}
}
