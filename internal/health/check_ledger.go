package health

import (
	"fmt"
	"maps"
	"slices"

	"genesis/pkg/bus"
)

// checkLedger finds what the last verification found: requests that were accepted and
// are nowhere.
func checkLedger(s Snapshot, _ Thresholds) []Finding {
	l := s.Ledger
	switch {
	case l == nil || s.blind() != "":
		return nil
	case l.Missing == 0 && l.Problem == "":
		return nil
	case l.Missing == 0:
		f := fact(ledger(), bus.StateDegraded, "it could not be verified: "+clip(l.Problem))
		f.Certain = true
		return []Finding{f}
	}
	affected := slices.Sorted(maps.Keys(l.Agents))
	each := make([]string, len(affected))
	for i, name := range affected {
		each[i] = fmt.Sprintf("%s %d", name, l.Agents[name])
	}
	reason := fmt.Sprintf("%s %s accepted and %s nowhere: %s; `genesis verify` names them",
		count(l.Missing, "request"), either(l.Missing, "was", "were"), either(l.Missing, "is", "are"), listed(each))
	if l.Problem != "" {
		reason += "; it could not be verified again: " + clip(l.Problem)
	}
	f := fact(ledger(), bus.StateUnhealthy, reason)
	f.Certain, f.Affects = true, affected
	return []Finding{f}
}
