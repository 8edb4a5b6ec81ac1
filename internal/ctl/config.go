package ctl

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"genesis/internal/config"
)

func newConfig(c *cli) *cobra.Command {
	return group("config", "Check, print and describe the configuration",
		newConfigCheck(c), newConfigPrint(c), newConfigSchema())
}

func newConfigCheck(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Read a configuration and report everything that is wrong with it",
		Args:  c.fileArg,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			name := c.configFile
			if name == "" {
				name = "the built-in configuration"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %s (%s), %s\n", name,
				plural(len(cfg.Agents), "agent"), strings.Join(cfg.AgentNames(), ", "), cfg.Environment)
			return err
		},
	}
	c.configFlag(cmd)
	return cmd
}

func newConfigPrint(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "print [FILE]",
		Short: "Print the configuration as the programs see it: file, environment and defaults",
		Args:  c.fileArg,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			return cfg.Print(cmd.OutOrStdout())
		},
	}
	c.configFlag(cmd)
	return cmd
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of genesis.yaml, for editors",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}

// fileArg takes the configuration's file as an argument too.
func (c *cli) fileArg(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case len(args) > 1:
		return usagef("%s takes one FILE, got also %q", cmd.CommandPath(), args[1])
	case c.configFile != "":
		return usagef("the FILE is given twice, by the argument and by --config")
	}
	c.configFile = args[0]
	return nil
}
