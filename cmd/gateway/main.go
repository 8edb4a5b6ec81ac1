// Command gateway is the HTTP front door of Genesis.
package main

import (
	"os"

	"genesis/internal/gateway"
)

func main() { os.Exit(gateway.Main()) }
