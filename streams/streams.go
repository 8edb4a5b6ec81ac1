// Package streams holds the configuration of every stream and KV bucket of
// Genesis: one JSON file each, in the format of the `nats` command line tool
// (durations are integer nanoseconds), embedded.
//
// GENESIS_REQUESTS.json is a template: each agent has its own request stream,
// and {agent} in the file stands for the agent's name. The files named KV_ are
// KV buckets, which are streams too.
//
// What the files leave open is the operator's. Above all max_bytes is -1: how
// much disk Genesis may fill only the operator knows. A server whose disk is
// full stops taking messages, so set a limit on the server (max_file_store) or
// with `nats stream edit --max-bytes` on a stream; Genesis keeps such a choice
// (see bus.PlanStreams). A full request stream refuses new requests. A full
// GENESIS_RESULTS or GENESIS_DLQ removes its oldest messages, as their ages do.
//
// The package reads and renders; it does not talk to a server.
package streams

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

//go:embed *.json
var files embed.FS

const (
	template    = "GENESIS_REQUESTS.json"
	placeholder = "{agent}"
	maxAgent    = 32
)

// Options are the settings of the streams that come from the configuration.
type Options struct {
	// Replicas is how many servers hold each stream: 1, 3 or 5; 0 means 1.
	Replicas int
	// Agents names the agents that get a request stream.
	Agents map[string]AgentOptions
}

// AgentOptions are the settings of one agent's request stream.
type AgentOptions struct {
	// MaxPending is how many requests may wait or run; a new one beyond it is
	// refused. 0 means the template's 10,000.
	MaxPending int64
	// MaxMsgSize is the largest request in bytes, headers included. 0 means the
	// template's 1 MiB and 64 KiB. The server's own max_payload holds as well.
	MaxMsgSize int32
}

// Load returns the configuration of every stream, sorted by name. Its error
// joins everything that is wrong with the options.
func Load(o Options) ([]jetstream.StreamConfig, error) {
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, fmt.Errorf("list the embedded streams: %w", err)
	}
	var all []jetstream.StreamConfig
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the embedded stream %s: %w", name, err)
		}
		if name != template {
			cfg, err := parse(name, data)
			if err != nil {
				return nil, err
			}
			all = append(all, cfg)
			continue
		}
		for agent, ao := range o.Agents {
			cfg, err := parse(name, bytes.ReplaceAll(data, []byte(placeholder), []byte(agent)))
			if err != nil {
				return nil, err
			}
			if ao.MaxPending > 0 {
				cfg.MaxMsgs = ao.MaxPending
			}
			if ao.MaxMsgSize > 0 {
				cfg.MaxMsgSize = ao.MaxMsgSize
			}
			all = append(all, cfg)
		}
	}
	for i := range all {
		all[i].Replicas = o.Replicas
	}
	slices.SortFunc(all, func(a, b jetstream.StreamConfig) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (o Options) validate() error {
	var errs []error
	if o.Replicas != 1 && o.Replicas != 3 && o.Replicas != 5 {
		errs = append(errs, fmt.Errorf("replicas are %d: use 1, 3 or 5", o.Replicas))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Agents)) {
		if !validAgent(name) {
			errs = append(errs, fmt.Errorf("agent %q: a name is a lower-case letter, then up to %d lower-case letters, digits or dashes", name, maxAgent-1))
		}
		if a := o.Agents[name]; a.MaxPending < 0 {
			errs = append(errs, fmt.Errorf("agent %s: max_pending is %d: use at least 1, or 0 for the default", name, a.MaxPending))
		}
		if a := o.Agents[name]; a.MaxMsgSize < 0 {
			errs = append(errs, fmt.Errorf("agent %s: the largest message is %d bytes: use at least 1, or 0 for the default", name, a.MaxMsgSize))
		}
	}
	return errors.Join(errs...)
}

// validAgent keeps a name from being anything but a token of a subject. Its
// test holds it to the rule of package bus.
func validAgent(name string) bool {
	if name == "" || len(name) > maxAgent || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// parse reads one file strictly, because the `nats` tool ignores a key that it
// does not know, and a misspelt limit is no limit.
func parse(file string, data []byte) (jetstream.StreamConfig, error) {
	var cfg jetstream.StreamConfig
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		return cfg, fmt.Errorf("parse stream %s: %w", file, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return cfg, fmt.Errorf("parse stream %s: more follows the JSON object", file)
	}
	base := strings.TrimSuffix(file, ".json")
	switch {
	case cfg.Name != base && (file != template || !strings.HasPrefix(cfg.Name, base+"_")):
		return cfg, fmt.Errorf("parse stream %s: its name is %q, want %q", file, cfg.Name, base)
	case len(cfg.Subjects) == 0:
		return cfg, fmt.Errorf("parse stream %s: it has no subjects", file)
	}
	return cfg, nil
}
