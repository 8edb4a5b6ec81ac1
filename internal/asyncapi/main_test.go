package asyncapi

import (
	"testing"

	"genesis/pkg/bus/bustest"
)

func TestMain(m *testing.M) { bustest.Main(m) }
