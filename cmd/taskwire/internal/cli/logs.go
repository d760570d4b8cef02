package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/stack"
)

// defaultLines fill a terminal.
const defaultLines = 50

func logsCommand() *cobra.Command {
	var data string
	var follow, raw bool
	var lines int
	cmd := &cobra.Command{
		Use:   "logs PART",
		Short: "Show a part's log",
		Long:  "Shows the end of a part's log, readably; --raw shows it as it was written (JSON of the services and sidecars).\nThe parts: postgres, broker, gateway, and for each service SERVICE and SERVICE-daprd.",
		Example: "  taskwire logs task-api\n" +
			"  taskwire logs audit-daprd -f\n" +
			"  taskwire logs notification -n -1 --raw | grep '\"level\":\"ERROR\"'",
		Args: cobra.ArbitraryArgs, // the error below is better than cobra's
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := findData(data)
			if err != nil {
				return err
			}
			known := logNames(data)
			if len(args) != 1 {
				return fmt.Errorf("which part's log? One of: %s (make logs PART=…)", strings.Join(known, ", "))
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			out := cmd.OutOrStdout()
			con := console.New(out, wantsColour(out))
			err = errPart
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
			case errors.Is(err, errPart), errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("there is no log of %q in %s. There are: %s", args[0], filepath.Join(data, "log"), strings.Join(known, ", "))
			case errors.Is(err, context.Canceled):
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written, until Ctrl-C")
	cmd.Flags().IntVarP(&lines, "lines", "n", defaultLines, "how many of the last lines; -1: all of the newest file")
	cmd.Flags().BoolVar(&raw, "raw", false, "as it was written")
	return cmd
}

var errPart = errors.New("no such part")

// logNames are the parts that have a log.
func logNames(data string) []string {
	files, _ := filepath.Glob(stack.LogPath(data, "*"))
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".log"))
	}
	return names
}
