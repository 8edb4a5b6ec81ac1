package monitor

import (
	"flag"
	"testing"

	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) {
	// The tests wait far more than they work. What the command line says comes later.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	bustest.Main(m)
}
