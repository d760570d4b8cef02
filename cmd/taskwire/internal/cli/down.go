package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
)

const (
	// downPoll is the pause between two checks whether the supervisor has ended.
	downPoll = 50 * time.Millisecond
	// downTimeout is longer than the stack's own limit for an orderly stop. After it, `down` kills.
	downTimeout = 25 * time.Second
)

func downCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop what runs on a data folder; the data stays",
		Long: "Asks the running `taskwire up` to stop everything in order, and waits until it has. It also ends the processes that a\n" +
			"killed `taskwire up` left behind. It succeeds when nothing runs, even if nothing ran before.",
		Example: "  taskwire down\n  taskwire down --data /tmp/other",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := findData(data)
			if err != nil {
				return err
			}
			return runDown(data, cmd.OutOrStdout())
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

func runDown(data string, out io.Writer) error {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "Nothing runs: there is no data folder %s.\n", data)
		return nil
	}
	began := time.Now()
	pid, err := runstate.Holder(data)
	if err != nil {
		return err
	}
	if pid != 0 {
		if err := endSupervisor(data, pid, out); err != nil {
			return err
		}
	}
	lock, err := runstate.Acquire(data)
	if err != nil {
		return fmt.Errorf("another `taskwire up` has started in the meantime: %w", err)
	}
	defer lock.Release() //nolint:errcheck // the system releases it when this process ends
	left, err := runstate.EndOrphans(data)
	if err != nil {
		return err
	}
	switch {
	case pid != 0:
		fmt.Fprintf(out, "Stopped in %.1f s. The data is in %s.\n", time.Since(began).Seconds(), data)
	case len(left) > 0:
		fmt.Fprintf(out, "Ended what a killed run left behind: %v. The data is in %s.\n", left, data)
	default:
		fmt.Fprintf(out, "Nothing runs on %s.\n", data)
	}
	return nil
}

// endSupervisor asks the supervisor to stop everything, and kills it after downTimeout.
func endSupervisor(data string, pid int, out io.Writer) error {
	id, err := procid.Of(pid)
	if errors.Is(err, procid.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Stopping Taskwire (pid %d) …\n", pid)
	if err := id.Signal(syscall.SIGTERM); errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("pid %d belongs to another user: run this command as that user, or as root", pid)
	} else if err != nil && !errors.Is(err, procid.ErrGone) {
		return fmt.Errorf("stop pid %d: %w", pid, err)
	}
	for deadline := time.Now().Add(downTimeout); time.Now().Before(deadline); time.Sleep(downPoll) {
		if holder, err := runstate.Holder(data); err != nil || holder != pid {
			return err
		}
	}
	fmt.Fprintf(out, "Taskwire does not stop: killing it.\n")
	if err := id.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, procid.ErrGone) {
		return fmt.Errorf("kill pid %d: %w", pid, err)
	}
	for deadline := time.Now().Add(downTimeout); id.Running() && time.Now().Before(deadline); {
		time.Sleep(downPoll)
	}
	return nil
}
