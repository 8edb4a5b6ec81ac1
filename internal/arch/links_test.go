package arch

import (
	"maps"
	"slices"
	"strings"
)

// linkRules look through all that is linked, since an import may hide behind
// others, of ours or of a library.
func linkRules() []rule {
	return []rule{{
		promise: "no program but cmd/genesis links nats-server",
		because: "the gateway, the worker and the monitor are clients: a broker inside would add 10 MB and its faults to each",
		check:   linksNoServer,
		breaks: []sources{
			{
				"cmd/gateway/main.go": "package main\n",
				goList: "genesis/cmd/gateway genesis/internal/gateway\n" +
					"genesis/internal/gateway fmt genesis/internal/embedded\n" +
					"genesis/internal/embedded " + natsServer + "/server\n",
			},
			{
				"examples/hello/main.go": "package main\n",
				goList:                   "genesis/examples/hello " + natsServer + "/server\n",
			},
		},
		keeps: []sources{
			{
				"cmd/genesis/main.go": "package main\n",
				"cmd/worker/main.go":  "package main\n",
				goList: "genesis/cmd/worker genesis/internal/worker\n" +
					"genesis/cmd/genesis " + natsServer + "/server\n",
			},
		},
	}}
}

func linksNoServer(tr tree) []finding {
	mains := map[string]bool{}
	for _, f := range tr.files {
		if f.syntax.Name.Name == "main" && !f.isTest() && !f.in("cmd/genesis") {
			mains[f.dir()] = true
		}
	}
	var found []finding
	for _, dir := range slices.Sorted(maps.Keys(mains)) {
		if chain := chainTo(tr.links, module+"/"+dir, natsServer); chain != nil {
			found = append(found, finding{path: dir, what: "links " + strings.Join(chain, " -> ")})
		}
	}
	return found
}

// chainTo returns a shortest chain of imports from a package to one at or below
// the target, or nil when none leads there.
func chainTo(links map[string][]string, from, target string) []string {
	seen := map[string]bool{from: true}
	for queue := [][]string{{from}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		last := chain[len(chain)-1]
		if under(last, target) {
			return chain
		}
		for _, next := range links[last] {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, append(slices.Clone(chain), next))
			}
		}
	}
	return nil
}
