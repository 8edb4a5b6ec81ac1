package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"genesis/internal/config"
)

// A Flag overrides one setting of the configuration.
type Flag struct {
	// Name without dashes.
	Name string
	// Setting is its path in the configuration: "worker.agents".
	Setting string
	// Value says what to write, in capitals: "ADDR".
	Value string
	// Help is one line.
	Help string
}

// arguments is a parsed command line.
type arguments struct {
	file          string
	overrides     []config.Override
	help, version bool
}

// flags are those of every program, and the command's own.
func (c Command) flags() []Flag {
	all := []Flag{{"nats", "nats.url", "URL", "NATS servers, several separated by commas (" + config.LocalNATS + ")"}}
	if c.HTTP != "" {
		all = append(all, Flag{"http", c.HTTP, "ADDR", "address to listen on, host:port; port 0 takes a free one"})
	}
	return append(all, c.Flags...)
}

func (c Command) parse(args []string) (arguments, error) {
	var a arguments
	set := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.StringVar(&a.file, "config", "", "")
	set.BoolVar(&a.version, "version", false, "")
	for _, f := range c.flags() {
		set.Func(f.Name, "", func(value string) error {
			a.overrides = append(a.overrides, config.Override{Path: f.Setting, Value: value, Source: "--" + f.Name})
			return nil
		})
	}
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		a.help = true
		return a, nil
	case err != nil:
		return a, Usage(err)
	case set.NArg() > 0:
		return a, Usage(fmt.Errorf("it takes flags only, got %q", set.Arg(0)))
	}
	return a, nil
}

func (c Command) help(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: %s [flags]\n\n", c.Summary, c.Name)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "  --config FILE\tconfiguration (without: the built-in default)")
	for _, f := range c.flags() {
		fmt.Fprintf(table, "  --%s %s\t%s\n", f.Name, f.Value, f.Help)
	}
	fmt.Fprintln(table, "  --version\tprint the version")
	fmt.Fprintln(table, "  --help\tprint this")
	_ = table.Flush() // as fmt.Fprintf: whoever closed the pipe knows
	fmt.Fprintln(w, "\nFlags are over the environment (GENESIS_...), which is over the file.")
}

// isFlag tells whether the source of a setting is a flag.
func isFlag(source string) bool { return strings.HasPrefix(source, "--") }
