package health

import (
	"math"
	"time"
)

// longest is beyond what a prediction says nothing.
const longest = 24 * time.Hour

// DrainTime is how long the work of the agent would take if no more came; false when none
// is done, or nobody can tell.
func (a *Agent) DrainTime() (time.Duration, bool) {
	if a.Lag == 0 {
		return 0, a.Service >= 0
	}
	if a.Service <= 0 {
		return 0, false
	}
	nanos := float64(a.Lag) / a.Service * float64(time.Second)
	if nanos >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(nanos), true
}

// Recovery estimates when the work that an agent has at that time will be done, if it
// goes on as it does; false when it does not become less, or nobody can tell, or it
// takes more than a day.
func Recovery(at time.Time, a *Agent) (time.Time, bool) {
	if a.Lag == 0 || a.Workers == 0 || a.Arrival < 0 || a.Service <= a.Arrival {
		return time.Time{}, false
	}
	seconds := float64(a.Lag) / (a.Service - a.Arrival)
	if seconds > longest.Seconds() {
		return time.Time{}, false
	}
	return at.Add(time.Duration(seconds * float64(time.Second))), true
}
