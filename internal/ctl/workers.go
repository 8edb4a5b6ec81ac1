package ctl

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"genesis/pkg/bus"
)

// workersWait is how long workers have to answer a command.
const workersWait = 3 * time.Second

// askWorkers asks every worker, and returns their answers and why others gave none.
func askWorkers[T any](cmd *cobra.Command, b *bus.Bus, verb string, v any) (answers []T, silent []error, err error) {
	replies, err := b.Ask(cmd.Context(), bus.ComponentWorker, verb, v, workersWait)
	if err != nil {
		return nil, nil, err
	}
	answers, silent = decoded[T](replies)
	return answers, silent, nil
}

// decoded reads the answers, and tells of those that there are none of.
func decoded[T any](replies []bus.Reply) (answers []T, silent []error) {
	for _, r := range replies {
		var answer T
		if err := r.Decode(&answer); err != nil {
			silent = append(silent, fmt.Errorf("worker %w", err))
			continue
		}
		answers = append(answers, answer)
	}
	return answers, silent
}

// noteSilent tells a person which workers are missing in an answer.
func noteSilent(cmd *cobra.Command, silent []error) {
	for _, err := range silent {
		fmt.Fprintf(cmd.ErrOrStderr(), "genesis: not counted: %s\n", oneLine(err.Error()))
	}
}
