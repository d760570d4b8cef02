package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
)

// exitInterrupted is the exit code that shells use for a command that Ctrl-C ended: 128 and the number of the signal.
const exitInterrupted = 130

// errPrinted fails a command whose output already says everything.
var errPrinted = errors.New("the output says why")

// interrupted is the error of a command that Ctrl-C ended: what was left undone.
type interrupted string

func (i interrupted) Error() string { return "interrupted; " + string(i) }

// Main runs the command that args name and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(context.Background()); err != nil {
		if !errors.Is(err, errPrinted) {
			fmt.Fprintln(stderr, "taskwire:", err)
		}
		if _, ok := errors.AsType[interrupted](err); ok {
			return exitInterrupted
		}
		if coded, ok := errors.AsType[*codeError](err); ok {
			return coded.code
		}
		return 1
	}
	return 0
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "taskwire",
		Short: "Build, run and watch Taskwire on this machine",
		Long: "taskwire builds and runs the whole of Taskwire on one machine: Postgres, a Kafka-protocol broker, the services with\n" +
			"their Dapr sidecars, and the gateway. The Makefile's targets of the same names call it.",
		Example:       "  taskwire up                    # start everything and print the address\n  taskwire status\n  taskwire logs task-api -f\n  taskwire down",
		SilenceErrors: true, SilenceUsage: true, Version: buildinfo.Read().String(),
	}
	root.SetVersionTemplate("taskwire {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(auditCommand(), upCommand(), downCommand(), statusCommand(), logsCommand(), outboxCommand(), userCommand(), importCommand(),
		exportCommand(), buildCommand(), gatewayCommand(), brokerCommand(), prepareCommand(), secretsCommand(), provisionCommand(), kafkaMetricsCommand(),
		consumersCommand(), dlqCommand(), watchCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of taskwire", Example: "  taskwire version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "taskwire", buildinfo.Read())
		},
	}
}

// untilInterrupted returns the command's context, which ends with Ctrl-C or SIGTERM.
func untilInterrupted(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
}
