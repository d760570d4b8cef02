package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/transfer"
	"github.com/taskwire/taskwire/local/console"
)

// tokenVariable holds the access token, so that it appears neither in the process list nor in the shell's history.
const tokenVariable = "TASKWIRE_TOKEN"

// progressEvery is the pause between two updates of the progress line.
const progressEvery = 200 * time.Millisecond

// formats has the format for each extension of a file name.
var formats = map[string]string{".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".ics": "ics", ".json": "taskwarrior"}

const formatHelp = "jsonl (Taskwire's own), csv (Todoist), ics (iCalendar VTODO), taskwarrior; default: from the file's extension"

// formatOf returns the given format, or the one of the file's extension.
func formatOf(given, path string) (string, error) {
	if given == "todoist" {
		return "csv", nil
	}
	for _, f := range formats {
		if given == f {
			return f, nil
		}
	}
	if given != "" {
		return "", fmt.Errorf("--format %q is not one of jsonl, csv, ics, taskwarrior", given)
	}
	if f, ok := formats[strings.ToLower(filepath.Ext(path))]; ok {
		return f, nil
	}
	return "", fmt.Errorf("the extension of %q is not that of a known format: give --format jsonl, csv, ics or taskwarrior", path)
}

func targetFlag(cmd *cobra.Command, t *transfer.Target) {
	cmd.Flags().StringVar(&t.URL, "url", fmt.Sprintf("http://127.0.0.1:%d", defaultPort), "address of Taskwire")
}

func importCommand() *cobra.Command {
	var t transfer.Target
	var format string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import tasks from another program's file",
		Long: "Sends a file of tasks (- for standard input) to the account whose access token is in " + tokenVariable + ", and prints what\n" +
			"could not be imported, with line, field and reason. Importing the same file again creates nothing twice, also after an\n" +
			"interrupted import. The exit code is 1 when tasks were refused.",
		Example: "  export " + tokenVariable + "=…                  # access_token of POST /api/v1/auth/login\n" +
			"  taskwire import todoist.csv\n" +
			"  task export | taskwire import - --format taskwarrior\n" +
			"  taskwire import tasks.ics --url https://tasks.example.com",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(format, args[0])
			if err != nil {
				return err
			}
			file, size := io.Reader(os.Stdin), int64(0)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("import: %w", err)
				}
				defer f.Close() // only read
				if info, err := f.Stat(); err == nil {
					if info.IsDir() {
						return fmt.Errorf("import: %s is a folder", args[0])
					}
					size = info.Size()
				}
				file = f
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			t.Token = os.Getenv(tokenVariable)
			return runImport(ctx, cmd, t, format, file, size)
		},
	}
	targetFlag(cmd, &t)
	cmd.Flags().StringVar(&format, "format", "", formatHelp)
	return cmd
}

// runImport prints the report to stdout as it comes, and progress to stderr where that is a terminal.
func runImport(ctx context.Context, cmd *cobra.Command, t transfer.Target, format string, file io.Reader, size int64) error {
	out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	con := console.New(out, wantsColour(out))
	progress, shown := &transfer.Progress{}, time.Time{}
	var latest transfer.Report // the latest progress
	clearLine := func() {
		if isTerminal(errs) {
			fmt.Fprint(errs, "\r\x1b[K")
		}
	}
	last, err := transfer.Import(ctx, t, format, file, progress, func(r transfer.Report) {
		if r.Type != "progress" {
			clearLine()
			printReport(con, r)
			return
		}
		if latest = r; isTerminal(errs) && time.Since(shown) > progressEvery {
			shown = time.Now()
			done := ""
			if size > 0 {
				done = fmt.Sprintf("%3d %% ", min(100, progress.Sent()*100/size))
			}
			fmt.Fprintf(errs, "\r\x1b[K%s%d made, %d already there, %d refused", done, r.Created, r.Present, r.Refused)
		}
	})
	clearLine()
	switch {
	case errors.Is(err, context.Canceled):
		return interrupted(fmt.Sprintf("%d tasks were created. Run the same import again to continue: nothing is created twice", latest.Created))
	case err != nil && max(last.Created, latest.Created) > 0:
		return fmt.Errorf("%w (%d tasks were created)", err, max(last.Created, latest.Created))
	case err != nil:
		return err
	}
	con.Headline("%d tasks made, %d were there already, %d refused, %d left out, %d notes.", last.Created, last.Present, last.Refused, last.Skipped, last.Notes)
	if last.Refused > 0 {
		return errPrinted
	}
	return nil
}

func printReport(con *console.Console, r transfer.Report) {
	text := strings.TrimSpace(fmt.Sprintf("line %d: %s", r.Line, strings.TrimSpace(r.Field+" "+r.Reason)))
	text = console.Clean(text) // it contains text of the file
	switch r.Type {
	case "refused":
		con.Fail("%s", text)
	case "note":
		con.Warn("%s", text)
	default:
		con.Step("%s", text)
	}
}

// untouched returns what an interrupted export left behind.
func untouched(path string) string {
	if path == "-" {
		return "the output is incomplete"
	}
	return path + " is unchanged"
}

func exportCommand() *cobra.Command {
	var t transfer.Target
	var format string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Export all tasks of an account to a file",
		Long: "Writes all tasks of the account whose access token is in " + tokenVariable + " to FILE (- for standard output). jsonl has every\n" +
			"field; the other formats have those that they can represent. A failed export leaves FILE unchanged.",
		Example: "  export " + tokenVariable + "=…   # access_token of POST /api/v1/auth/login\n" +
			"  taskwire export tasks.jsonl\n" +
			"  taskwire export - --format taskwarrior | task import",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := formatOf(format, args[0])
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			t.Token = os.Getenv(tokenVariable)
			var n int64
			if args[0] == "-" {
				n, err = transfer.Export(ctx, t, format, cmd.OutOrStdout())
			} else {
				n, err = transfer.ExportFile(ctx, t, format, args[0])
			}
			if errors.Is(err, context.Canceled) {
				return interrupted(untouched(args[0]))
			}
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d bytes written.\n", n)
			}
			return err
		},
	}
	targetFlag(cmd, &t)
	cmd.Flags().StringVar(&format, "format", "", formatHelp)
	return cmd
}
