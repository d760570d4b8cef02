package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/stack"
)

// defaultLines is one screen.
const defaultLines = 50

func logsCommand() *cobra.Command {
	var data string
	var follow, raw bool
	var lines int
	cmd := &cobra.Command{
		Use:   "logs PART",
		Short: "Show a part's log",
		Long:  "Shows the end of a part's log in readable form. --raw shows it as it was written: JSON for the services and sidecars.\nThe parts are postgres, broker, gateway, and for each service SERVICE and SERVICE-daprd.",
		Example: "  taskwire logs task-api\n" +
			"  taskwire logs audit-daprd -f\n" +
			"  taskwire logs notification -n -1 --raw | grep '\"level\":\"ERROR\"'",
		Args: cobra.ArbitraryArgs, // RunE has a better error than cobra
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := findData(data)
			if err != nil {
				return err
			}
			known := logNames(data)
			if len(args) != 1 {
				return fmt.Errorf("which part's log? One of: %s (make logs PART=…)", strings.Join(known, ", "))
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			out := cmd.OutOrStdout()
			con := console.New(out, wantsColour(out))
			err = errNoPart
			if slices.Contains(known, args[0]) {
				err = logfile.Tail(ctx, stack.LogPath(data, args[0]), lines, follow, func(line []byte) error {
					if !raw {
						con.Print(line)
						return ctx.Err()
					}
					_, err := fmt.Fprintf(out, "%s\n", line)
					return errors.Join(err, ctx.Err())
				})
			}
			switch {
			case errors.Is(err, errNoPart), errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("there is no log of %q in %s. There are: %s", args[0], filepath.Join(data, "log"), strings.Join(known, ", "))
			case errors.Is(err, context.Canceled):
				return nil // Ctrl-C is how --follow ends
			}
			return err
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show new lines as they are written, until Ctrl-C")
	cmd.Flags().IntVarP(&lines, "lines", "n", defaultLines, "how many lines from the end; -1: the whole newest file")
	cmd.Flags().BoolVar(&raw, "raw", false, "show the log as it was written")
	return cmd
}

var errNoPart = errors.New("no such part")

// logNames returns the parts that have a log.
func logNames(data string) []string {
	files, _ := filepath.Glob(stack.LogPath(data, "*"))
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".log"))
	}
	return names
}
