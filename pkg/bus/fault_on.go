//go:build faults

package bus

import (
	"os"
	"syscall"
)

// fault kills this process, as kill -9 does, at the point that GENESIS_FAULT names.
// It is compiled only into the programs that the crash tests build.
func fault(point string) {
	if os.Getenv("GENESIS_FAULT") == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
