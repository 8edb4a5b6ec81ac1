// Worker executes the requests of one or more agents.
package main

import (
	"os"

	"genesis/internal/worker"
)

func main() { os.Exit(worker.Main()) }
