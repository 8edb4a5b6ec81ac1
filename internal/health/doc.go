// Package health decides how the parts of the system are. A [Snapshot] is all that a
// round of the monitor saw; [Judge] makes a [Round] of verdicts from it by [Thresholds];
// a [Watch] turns rounds into the few changes worth telling, and [NewOverview] says the
// whole in one sentence.
//
// A check is a pure function of a snapshot, one file each. What explains something else
// silences it: while the broker is away nothing but the broker is judged, and an agent
// that no worker serves is not late as well.
//
// Nothing here reads a clock, a file or a network, or starts a goroutine.
package health
