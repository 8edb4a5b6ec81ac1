package health

import (
	"strconv"

	"genesis/pkg/bus"
)

// checkStream finds streams that are out of use.
func checkStream(s Snapshot, _ Thresholds) []Finding {
	var found []Finding
	for name, st := range s.streamsJudged() {
		reason := ""
		switch {
		case st.Missing:
			reason = "it is missing; `genesis streams apply` makes it"
		case st.leaderless():
			reason = "it has no leader"
			if st.Replicas > 1 {
				reason += " among its " + strconv.Itoa(st.Replicas) + " replicas"
			}
		case st.Problem != "":
			reason = "it cannot be read: " + clip(st.Problem)
		default:
			continue
		}
		f := fact(stream(name), bus.StateUnhealthy, reason)
		f.Affects = s.users(name)
		found = append(found, f)
	}
	return found
}

func stream(name string) bus.Component {
	return bus.Component{Kind: bus.KindStream, Name: name}
}
