package bustest

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// inBubble reports whether the caller's time is virtual: a synctest bubble's
// clock starts at the year 2000.
func inBubble() bool { return time.Now().Year() < 2010 }

// checkBubble fails a test whose bubble would hang: it is hard to see why from
// the outside.
func checkBubble(tb testing.TB, o options) {
	tb.Helper()
	if !inBubble() {
		return
	}
	if !o.noListen {
		tb.Fatal("bustest: within a synctest bubble a server needs NoListen: the network stops virtual time")
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if !bytes.Contains(stacks, []byte("server/ats.Register")) {
		tb.Fatal("bustest: within a synctest bubble the package's TestMain must be: func TestMain(m *testing.M) { bustest.Main(m) }")
	}
}

// dropPools empties every sync.Pool of the process. The NATS client keeps timers
// in one, and a bubble's timer that is used outside of it ends the process.
func dropPools() {
	runtime.GC() // moves what the pools hold aside
	runtime.GC() // and drops it
}
