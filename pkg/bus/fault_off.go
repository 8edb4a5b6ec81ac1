//go:build !faults

package bus

// fault marks a point where the crash tests kill the process; see fault_on.go.
func fault(string) {}
