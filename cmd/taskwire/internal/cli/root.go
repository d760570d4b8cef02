// Package cli is the command line of taskwire: one file a command, which reads its flags, calls the package that does
// the work and turns the outcome into lines and an exit code.
//
// Promises: exit code 0 is success; a failure is one message on stderr that says what is wrong and what to do; what is
// meant for a program (--json, raw logs) is on stdout alone.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
)

const (
	// dataFolder is the default data folder, in the repository.
	dataFolder = ".taskwire"
	// defaultPort is the gateway's.
	defaultPort = 8080
)

// Main runs the command that args name and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(context.Background()); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(stderr, "taskwire:", err)
		}
		if _, ok := errors.AsType[interrupted](err); ok {
			return exitInterrupted
		}
		return 1
	}
	return 0
}

// exitInterrupted is what a shell says of a command that Ctrl-C ended: 128 and the number of the signal.
const exitInterrupted = 130

// interrupted is what a command that was interrupted leaves to say.
type interrupted string

func (i interrupted) Error() string { return "interrupted; " + string(i) }

// errSaid fails a command whose output says all there is to say.
var errSaid = errors.New("said already")

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
	root.AddCommand(upCommand(), downCommand(), statusCommand(), logsCommand(), outboxCommand(), userCommand(), importCommand(),
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

// dataFlag adds --data.
func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "data folder (default: "+dataFolder+" in the repository)")
}

// findRoot is the folder at or above the current one that holds go.work.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in Taskwire's repository (no go.work in it or above it): change to the repository first", start)
		}
	}
}

// findData is the data folder: the given one, or that of the repository.
func findData(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	root, err := findRoot()
	if err != nil {
		return "", fmt.Errorf("%w, or give the data folder with --data", err)
	}
	return filepath.Join(root, dataFolder), nil
}

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColour follows https://no-color.org.
func wantsColour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
