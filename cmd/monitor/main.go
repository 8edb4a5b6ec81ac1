// Worker executes the requests of one or more agents.
package main

import (
	"os"

	"genesis/internal/monitor"
)

func main() { os.Exit(monitor.Main()) }
