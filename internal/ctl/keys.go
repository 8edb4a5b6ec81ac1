package ctl

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"genesis/internal/keys"
)

func newKeys(c *cli) *cobra.Command {
	return group("keys", "Add, list and remove the API keys of the gateway",
		newKeysAdd(c), newKeysList(c), newKeysRemove(c))
}

// A newKey is shown once.
type newKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// A keyRow is what the file tells of a key.
type keyRow struct {
	Name    string    `json:"name"`
	Start   string    `json:"start"`
	Created time.Time `json:"created"`
}

func newKeysAdd(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a key for a client, and print it: it cannot be read again",
		Args:  oneArg("a NAME, that of the client"),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := c.keyStore(file)
			if err != nil {
				return err
			}
			if err := keys.ValidName(args[0]); err != nil {
				return usagef("%w", err)
			}
			key, err := store.Add(args[0])
			if err != nil {
				return err
			}
			if c.asJSON() {
				return printJSON(cmd.OutOrStdout(), newKey{Name: args[0], Key: key})
			}
			fmt.Fprintln(cmd.OutOrStdout(), key)
			fmt.Fprintf(cmd.ErrOrStderr(), "genesis: this is the only time that the key of %s is shown; clients send it as Authorization: Bearer KEY\n", args[0])
			return nil
		},
	}
	c.keysFlags(cmd, &file)
	c.outputFlag(cmd)
	return cmd
}

func newKeysList(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the keys, without what is secret of them",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.keyStore(file)
			if err != nil {
				return err
			}
			all, err := store.List()
			if err != nil {
				return err
			}
			var rows []keyRow
			for _, k := range all {
				rows = append(rows, keyRow{Name: k.Name, Start: k.Start, Created: k.Created})
			}
			return list(c, cmd, rows, []column[keyRow]{
				{"NAME", func(k keyRow) string { return k.Name }},
				{"STARTS WITH", func(k keyRow) string { return k.Start }},
				{"CREATED", func(k keyRow) string { return timeText(k.Created) }},
			})
		},
	}
	c.keysFlags(cmd, &file)
	c.outputFlag(cmd)
	return cmd
}

func newKeysRemove(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a key: within a second no gateway that reads the file accepts it",
		Args:  oneArg("a NAME; `genesis keys ls` lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := c.keyStore(file)
			if err != nil {
				return err
			}
			if err := store.Remove(args[0]); err != nil {
				return fmt.Errorf("%w; `genesis keys ls` lists them", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", args[0])
			return err
		},
	}
	c.keysFlags(cmd, &file)
	return cmd
}

func (c *cli) keysFlags(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "file", "", "`FILE` of the keys (default: gateway.keys_file of the configuration)")
	c.configFlag(cmd)
}

// keyStore opens the file that the flag or the configuration names.
func (c *cli) keyStore(file string) (*keys.Store, error) {
	if file == "" {
		cfg, err := c.load()
		if err != nil {
			return nil, err
		}
		file = cfg.Gateway.KeysFile
	}
	if file == "" {
		return nil, usagef("no keys file is named: use --file, or gateway.keys_file in the configuration (--config)")
	}
	return keys.Open(file)
}
