package bustest

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails when they leave a goroutine
// behind. It is all of a TestMain.
//
// It also holds the server's access-time clock for as long as the tests run.
// That clock is one goroutine a process, started by the first stream; started
// within a synctest bubble it would stop the bubble's time for ever.
func Main(m *testing.M, opts ...goleak.Option) { goleak.VerifyTestMain(clocked{m}, opts...) }

type clocked struct{ m *testing.M }

func (c clocked) Run() int {
	ats.Register()
	defer ats.Unregister()
	return c.m.Run()
}

// checkBubble fails a test whose bubble would hang: it is hard to see why from
// the outside.
func checkBubble(tb testing.TB, o options) {
	tb.Helper()
	// A bubble's clock starts at the year 2000.
	if time.Now().Year() > 2010 {
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
