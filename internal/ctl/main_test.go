package ctl

import (
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) {
	testscript.Main(checked{m}, map[string]func(){
		"genesis": func() { os.Exit(Main()) },
	})
}

// checked looks for leaked goroutines after the tests.
type checked struct{ m *testing.M }

func (c checked) Run() int {
	code := c.m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"up":      scriptUp,
		"down":    scriptDown,
		"kill9":   scriptKill,
		"until":   scriptUntil,
		"usage":   scriptUsage,
		"natspub": scriptPublish,
		"post":    scriptPost,
		"rmmsg":   scriptRemoveMessage,
		"lastmsg": scriptLastMessage,
		"stream":  scriptStream,
		"occupy":  scriptOccupy,
	}
	maps.Copy(commands, healthCommands(t))
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Values[runningKey{}] = new(*running)
			e.Values[brokerKey{}] = new(*bustest.Server)
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/.config") // contexts of the nats tool
			e.Setenv("GORACE", "atexit_sleep_ms=0")           // under the race detector each command would sleep a second at its end
			return nil
		},
		Cmds: commands,
	})
}
