package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// parts are the sections of the page that are renewed, by the id of their element and the
// name of their template.
func parts() []string {
	return []string{"status", "agents", "events", "dead-letters", "breakers", "workers", "streams"}
}

// parseTemplates reads the embedded templates.
func parseTemplates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"count": countAny, "size": size, "perSecond": rate, "share": share, "span": span, "plural": plural,
		"portion": portion, "percent": percent,
	}).ParseFS(templateFiles, "templates/*.html")
}

// countAny is count for the templates, which know no type parameters.
func countAny(n any) (string, error) {
	switch n := n.(type) {
	case int:
		return count(n), nil
	case uint64:
		return count(n), nil
	default:
		return "", fmt.Errorf("count a %T", n)
	}
}

// portion is how much of a whole a part is, in percent, as the width of a bar.
func portion(part, whole int) string {
	if whole <= 0 {
		return "0"
	}
	return percent(float64(part) / float64(whole))
}

func percent(f float64) string {
	if !(f > 0) { // also what is no number
		return "0"
	}
	return point(min(100*f, 100))
}

// render executes one template.
func (c *Console) render(name string, s *sheet) ([]byte, error) {
	var b bytes.Buffer
	if err := c.templates.ExecuteTemplate(&b, name, s); err != nil {
		return nil, fmt.Errorf("render %s of the console: %w", name, err)
	}
	return b.Bytes(), nil
}

// Title is what the tab of the browser shows.
func (s *sheet) Title() string {
	title := s.Status.Label()
	switch {
	case !s.Broker.Connected:
		title += ": broker away"
	case s.Tally.Unhealthy > 0:
		title += ": " + plural(s.Tally.Unhealthy, "agent") + " unhealthy"
	case s.Tally.Degraded > 0:
		title += ": " + plural(s.Tally.Degraded, "agent") + " degraded"
	}
	return title + " · Genesis"
}

// Reload is after how many seconds a browser without scripts asks again.
func (s *sheet) Reload() int {
	return int(min(max(s.Round.Interval, 5*time.Second), time.Minute) / time.Second)
}

// Every is the time between two rounds.
func (s *sheet) Every() string {
	if s.Round.Interval <= 0 {
		return "so often"
	}
	return span(s.Round.Interval)
}

// Ago is a time past.
func (s *sheet) Ago(t time.Time) moment { return tell(t, s.Now, agoWords) }

// For is how long something has lasted since then.
func (s *sheet) For(t time.Time) moment { return tell(t, s.Now, coarse) }

// Until is a time to come.
func (s *sheet) Until(t time.Time) moment { return tell(t, s.Now, untilWords) }

// Known reports whether the system was looked at. While the broker is away, and before
// the first round, an empty list says nothing.
func (s *sheet) Known() bool {
	return s.Broker.Connected && !s.Round.Last.IsZero() || s.Tally.Agents+s.Tally.Workers > 0
}

// Whole is a figure of the tally, if it is known.
func (s *sheet) Whole(n any) (string, error) {
	if !s.Known() {
		return "", nil
	}
	return countAny(n)
}

// AgentsSay counts the agents by state.
func (s *sheet) AgentsSay() string {
	t := s.Tally
	return s.say(t.Agents, "all healthy", some{t.Unhealthy, "unhealthy"}, some{t.Degraded, "degraded"}, some{t.Unknown, "not known"})
}

// WorkersSay counts the workers by state.
func (s *sheet) WorkersSay() string {
	t := s.Tally
	return s.say(t.Workers+t.Lost, "all serving", some{t.Lost, "lost"}, some{t.Draining, "draining"})
}

// BreakersSay counts the breakers by state.
func (s *sheet) BreakersSay() string {
	return s.say(len(s.Breakers), "none open", some{s.Tally.Shut, "open"}, some{s.Tally.Wavering, "wavering"})
}

type some struct {
	n    int
	what string
}

// say lists those of which there are some, or says that all is well; of none at all, and
// of what is not known, it says nothing.
func (s *sheet) say(all int, well string, those ...some) string {
	if all == 0 {
		return ""
	}
	var said []string
	for _, one := range those {
		if one.n > 0 {
			said = append(said, count(one.n)+" "+one.what)
		}
	}
	if said == nil {
		return well
	}
	return strings.Join(said, ", ")
}
