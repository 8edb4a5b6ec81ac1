package bus

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"time"

	"github.com/nats-io/nats.go/micro"
)

var semver = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// A ControlFunc carries out an operator's command. data is its JSON; what it returns
// is sent back as JSON to whoever asked for an answer.
type ControlFunc func(data []byte) (any, error)

// headerReplica names, in an answer to a command, the replica that gives it.
const headerReplica = "Genesis-Replica"

// controlPatience bounds the wait until the broker knows that commands are served.
const controlPatience = 2 * time.Second

// serviceName is what a component's micro service is called.
func serviceName(component string) string { return "genesis-" + component }

// Control serves the commands to one replica of a component.
type Control struct {
	service micro.Service
}

// ServeControl answers genesis.control.<component>.<verb> for each verb, as a NATS
// micro service: it is seen by `nats micro ls`, and every replica gets every command, from
// the moment this returns.
// Functions are called one at a time and must not block. Close it when done.
func (b *Bus) ServeControl(component, version string, verbs map[string]ControlFunc) (*Control, error) {
	if !semver.MatchString(version) { // the protocol wants one; a development build has none
		version = "0.0.0-dev"
	}
	s, err := micro.AddService(b.nc, micro.Config{
		Name: serviceName(component), Version: version, QueueGroupDisabled: true,
		Description: "Genesis " + component + ": operator commands",
	})
	if err != nil {
		return nil, fmt.Errorf("serve commands: %w", err)
	}
	replica := micro.WithHeaders(micro.Headers{headerReplica: {s.Info().ID}})
	for verb, f := range verbs {
		h := micro.HandlerFunc(func(r micro.Request) {
			answer, err := f(r.Data())
			if r.Reply() == "" {
				return
			}
			if err == nil {
				err = r.RespondJSON(answer, replica)
			} else {
				err = r.Error("400", oneLine(err.Error(), maxErrorText), nil, replica)
			}
			if err != nil {
				b.log.Debug("answer a command", "verb", verb, "error", err)
			}
		})
		if err := s.AddEndpoint(verb, h, micro.WithEndpointSubject(ControlSubject(component, verb))); err != nil {
			_ = s.Stop() // the first error is the one that tells
			return nil, fmt.Errorf("serve command %s: %w", verb, err)
		}
	}
	if err := b.nc.FlushTimeout(controlPatience); err != nil { // a reconnect makes it known
		b.log.Debug("make the commands known", "component", component, "error", err)
	}
	return &Control{s}, nil
}

// Close stops serving.
func (c *Control) Close() error { return c.service.Stop() }

// Command sends a command to every replica of a component and does not wait.
func (b *Bus) Command(component, verb string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("command %s: %w", verb, err)
	}
	if err := b.nc.Publish(ControlSubject(component, verb), data); err != nil {
		return fmt.Errorf("command %s: %w", verb, publishError(err))
	}
	return nil
}

// ServeWorker serves the commands to a worker: `cancel`, which ends the execution of
// a request in the pools, by agent, and those in extra, such as [Bus.BreakerVerbs] and
// [Bus.ChaosVerbs].
func (b *Bus) ServeWorker(version string, pools map[string]*Pool, extra map[string]ControlFunc) (*Control, error) {
	verbs := map[string]ControlFunc{
		commandCancel: func(data []byte) (any, error) {
			var c CancelCommand
			if err := json.Unmarshal(data, &c); err != nil {
				return nil, fmt.Errorf("cancel: %w", err)
			}
			p := pools[c.Agent]
			return map[string]bool{"found": p != nil && p.Cancel(c.ID)}, nil
		},
	}
	maps.Copy(verbs, extra)
	return b.ServeControl(ComponentWorker, version, verbs)
}

// ComponentWorker is the component that [Bus.ServeWorker] serves.
const ComponentWorker = "worker"

// ComponentMonitor is the component that monitors serve, and CommandLag asks them how
// much work there is: what they saw in their last round, as JSON.
const (
	ComponentMonitor = "monitor"
	CommandLag       = "lag"
)
