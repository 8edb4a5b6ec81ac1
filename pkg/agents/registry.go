package agents

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// maxName is the longest name an agent may have.
const maxName = 32

// Registry holds agents by name. It is filled at start-up and only read from
// then on: any number of goroutines may read it, none while another adds. The
// zero value is empty and ready to use.
type Registry struct {
	agents map[string]Agent
}

// New returns an empty registry.
func New() *Registry { return &Registry{} }

// Add registers a under name. A name that does not match [a-z][a-z0-9-]{0,31}, a
// name already taken and a nil agent are errors, and leave the registry as it was.
func (r *Registry) Add(name string, a Agent) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("add agent: %w", err)
	}
	if a == nil {
		return fmt.Errorf("add agent %s: the agent is nil", name)
	}
	if _, taken := r.agents[name]; taken {
		return fmt.Errorf("add agent %s: the name is already taken", name)
	}
	if r.agents == nil {
		r.agents = make(map[string]Agent)
	}
	r.agents[name] = a
	return nil
}

// Get returns the agent of that name, and whether there is one.
func (r *Registry) Get(name string) (Agent, bool) {
	a, ok := r.agents[name]
	return a, ok
}

// Names returns the names of all agents, sorted. The slice is the caller's.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.agents)) }

// Nearest returns the registered name most like name, for a "did you mean", or
// "" when none is close. Of equally close names it returns the first in
// alphabetical order.
func (r *Registry) Nearest(name string) string { return nearest(name, r.Names()) }

// Close releases what the agents hold: it closes each that is an io.Closer, in
// the order of their names, and joins their errors. Call it once no Handle is
// running.
func (r *Registry) Close() error {
	var errs []error
	for _, name := range r.Names() {
		if c, ok := r.agents[name].(io.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close agent %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// checkName says what is wrong with an agent's name.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("name %.*q...: %d characters, at most %d are allowed", maxName, name, len(name), maxName)
	case name[0] < 'a' || name[0] > 'z':
		return fmt.Errorf("name %q: must start with a letter from a to z", name)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("name %q: only a to z, 0 to 9 and - are allowed", name)
		}
	}
	return nil
}
