package program

import "runtime/debug"

// gcPercent trades memory, of which a program of Genesis needs little (a heap of a few
// MiB), for time: Go's default of 100 costs a busy worker about a sixth more CPU.
const gcPercent = 400

// TuneMemory sets the garbage collector for a program that handles requests, unless
// the environment does by GOGC.
func TuneMemory(env func(string) (string, bool)) {
	if _, set := env("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
}
