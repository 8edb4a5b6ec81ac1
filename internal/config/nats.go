package config

import (
	"fmt"
	"net/url"
	"strings"
)

// How durably the broker stores an accepted request.
const (
	DurabilityRelaxed  = "relaxed"
	DurabilityStandard = "standard"
	DurabilityStrict   = "strict"
)

// LocalNATS is where programs look for the broker when no URL is set.
const LocalNATS = "nats://127.0.0.1:4222"

// NATS is the broker: where it is, how durably it stores, how many copies it keeps.
type NATS struct {
	// URL of the NATS servers, several separated by commas. Empty: embedded in genesis up, nats://127.0.0.1:4222 for the other programs. Default: empty.
	URL string `yaml:"url" example:"nats://127.0.0.1:4222"`
	// Durability is what an accepted request survives: relaxed (kill -9 of the server), standard (a power cut, but for the last 100 ms) or strict (a power cut). Default: standard.
	Durability string `yaml:"durability" enum:"relaxed,standard,strict" example:"standard"`
	// Replicas is how many servers keep a copy of each stream: 1, 3 or 5. Default: 1.
	Replicas int `yaml:"replicas" enum:"1,3,5" example:"3"`
	// Credentials is the path of a NATS .creds file. Empty: none. Default: empty.
	Credentials string `yaml:"credentials" example:"/etc/genesis/nats.creds"`
}

func defaultNATS() NATS { return NATS{Durability: DurabilityStandard, Replicas: 1} }

// Embedded reports that no URL is set: genesis up then runs the broker itself.
func (n NATS) Embedded() bool { return n.URL == "" }

// Address returns the URL to connect to: the configured one, or LocalNATS.
func (n NATS) Address() string {
	if n.Embedded() {
		return LocalNATS
	}
	return n.URL
}

func (n NATS) check(r *report) {
	if n.Embedded() {
		return
	}
	for server := range strings.SplitSeq(n.URL, ",") {
		if err := checkServer(strings.TrimSpace(server)); err != nil {
			r.add("nats.url", "%v; write for example %s", err, LocalNATS)
			return
		}
	}
}

// checkServer accepts what the NATS client does: a bare host[:port] is nats://.
// Its errors never repeat the URL, which may hold a password.
func checkServer(server string) error {
	if server == "" {
		return fmt.Errorf("one of the URLs is empty")
	}
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("not a URL with a host")
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
		return nil
	}
	return fmt.Errorf("the scheme must be nats, tls, ws or wss, got %s", quote(u.Scheme))
}
