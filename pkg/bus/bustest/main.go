package bustest

import (
	"testing"

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
