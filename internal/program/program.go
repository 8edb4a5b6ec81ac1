// Package program is what the programs of Genesis have in common: flags,
// configuration, logging, tracing, the connection to the broker with the streams on it,
// signals and exit codes.
//
// A program is a [Command]; its main calls [Main] and exits with the code:
//
//	func Main() int {
//		return program.Main(program.Command{Name: "worker", HTTP: "worker.http", Run: run})
//	}
//
// The package runs no HTTP server and executes nothing: that is what each program
// does for itself, in Command.Run; [WriteJSON], [WriteProblem] and [OperatorsOnly] are
// how several answer alike. The genesis command line, which has many
// verbs, parses its own flags and uses the parts: [Connect], [Prepare],
// [Streams], [Listen], [Logger], [UntilSignal], [Version].
package program

import (
	"io"
	"log/slog"

	"genesis/internal/config"
	"genesis/internal/telemetry"
	"genesis/pkg/bus"
)

// Program is what a [Command] runs with. All of it is ready: the configuration
// is valid, the bus is connected, and the streams are there.
type Program struct {
	Config *config.Config
	// Bus is closed by the package, after Run has returned.
	Bus *bus.Bus
	// Log carries the program's name.
	Log     *slog.Logger
	Version string
	// Tracing makes spans as the variables OTEL_* say; nil: none. It is closed by the
	// package, after Run has returned.
	Tracing *telemetry.Tracing
	// OperatorToken is GENESIS_OPERATOR_TOKEN; empty when it is not set.
	OperatorToken string
	// WorkerName is GENESIS_WORKER_NAME, the name of this replica; empty when it is not set.
	WorkerName     string
	Stdout, Stderr io.Writer
}
