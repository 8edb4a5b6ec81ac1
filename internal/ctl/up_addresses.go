package ctl

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"genesis/internal/config"
)

// readyTimeout is how long the parts may take until they answer.
const readyTimeout = 10 * time.Second

// upAddresses is what a person needs who has started everything.
type upAddresses struct {
	gateway, worker, monitor, nats string
	embedded                       bool
	data, token                    string
	agent                          string // to try
}

// await waits until the gateway, the worker and the monitor say that they are ready.
func (a *upAddresses) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, base := range []string{a.worker, a.gateway, a.monitor} {
		for pause := 5 * time.Millisecond; !isReady(ctx, client, base); pause = min(2*pause, 100*time.Millisecond) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return fmt.Errorf("%s/health/ready does not answer that all is ready within %s", base, readyTimeout)
			}
		}
	}
	return nil
}

func isReady(ctx context.Context, client *http.Client, base string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health/ready", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }() // only its status is of interest
	return resp.StatusCode == http.StatusOK
}

// withoutPasswords leaves the users and passwords out of URLs, separated by commas.
func withoutPasswords(urls string) string {
	all := strings.Split(urls, ",")
	for i, text := range all {
		if u, err := url.Parse(strings.TrimSpace(text)); err == nil && u.User != nil {
			u.User = nil
			all[i] = u.String()
		}
	}
	return strings.Join(all, ",")
}

// print prints the addresses and three commands to try. The commands name an address
// only where it is not the one that is found without.
func (a *upAddresses) print(w io.Writer) error {
	flag, server := "", ""
	if a.nats != config.LocalNATS {
		flag, server = " --nats "+a.nats, " -s "+a.nats
	}
	nats := a.nats
	if a.embedded {
		nats += "  (data in " + a.data + ")"
	}
	_, err := fmt.Fprintf(w, `Genesis is up.

  gateway         %s
  NATS            %s
  worker          %s
  monitor         %s
  operator token  %s

Try, in another terminal:

  curl -s %s/v1/agents/%s/requests -H 'Prefer: wait=10' -H 'Content-Type: application/json' -d '{"prompt":"hi"}'
  nats pub%s genesis.requests.%s '{"prompt":"hi"}'
  genesis dlq ls%s

Ctrl-C drains and stops.
`, a.gateway, nats, a.worker, a.monitor, a.token, a.gateway, a.agent, server, a.agent, flag)
	return err
}
