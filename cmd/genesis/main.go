// Command genesis runs everything on one machine (`genesis up`) and operates a system
// that runs.
package main

import (
	"os"

	"genesis/internal/ctl"
)

func main() { os.Exit(ctl.Main()) }
