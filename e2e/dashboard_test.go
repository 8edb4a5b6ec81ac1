package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

const dashboardFile = "../deploy/grafana/genesis.json"

// A panel is one chart of the dashboard.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		Expr   string
		Legend string `json:"legendFormat"`
	}
}

type dashboard struct {
	Title      string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct {
		List []struct{ Expr string }
	}
}

// board is the dashboard, its charts without the headings of rows.
func board(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	d.Panels = slices.DeleteFunc(d.Panels, func(p panel) bool { return p.Type == "row" })
	return d
}

// plain is an expression as Grafana sends it with all agents chosen.
func plain(expr string) string { return strings.ReplaceAll(expr, "$agent", ".*") }

func TestTheDashboardHasTheGuidesPanelsAndEachIsWhole(t *testing.T) {
	d := board(t)
	titles := map[string]bool{}
	ids := map[int]string{}
	for _, p := range d.Panels {
		titles[p.Title] = true
		if other, taken := ids[p.ID]; taken {
			t.Errorf("%s and %s have the id %d", other, p.Title, p.ID)
		}
		ids[p.ID] = p.Title
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			expression(t, plain(target.Expr))
		}
		for _, o := range d.Panels {
			if a, b := p.GridPos, o.GridPos; o.ID < p.ID && a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s covers %s", p.Title, o.Title)
			}
		}
	}
	for _, want := range []string{"Circuit Breaker Status", "Request Success Rate", "Retry Attempts", "Timeout Errors"} {
		if !titles[want] {
			t.Errorf("the guide's panel %s is missing", want)
		}
	}
	for _, a := range d.Annotations.List {
		expression(t, a.Expr)
	}
}
