// Package crash holds tests that kill real processes: a worker between each pair of
// its steps, the broker and the workers under load, a gateway after it accepted a
// request. After each, every accepted request is answered once and verify holds.
//
// They are built with the tag `faults`, which compiles the fault points of package
// bus in; run them with `make crash`.
package crash
