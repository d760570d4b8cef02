package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/stack"
)

// statusReport is `taskwire status --json`.
type statusReport struct {
	Running bool               `json:"running"`
	Ready   bool               `json:"ready"` // every part is ready now
	URL     string             `json:"url,omitempty"`
	PID     int                `json:"pid,omitempty"` // of the supervisor
	Data    string             `json:"data"`
	Parts   []stack.PartStatus `json:"parts"`
}

func statusCommand() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show each part: pid, port, ready, restarts, memory",
		Long:    "Shows the parts that run on a data folder. It fails when nothing runs. Memory is resident memory, including a part's\nchild processes.",
		Example: "  taskwire status\n  taskwire status --json --data /tmp/other",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := findData(data)
			if err != nil {
				return err
			}
			r, err := readStatus(data)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), r); err != nil {
					return err
				}
			} else if r.Running {
				printStatus(cmd.OutOrStdout(), r)
			}
			if r.Running {
				return nil
			}
			if asJSON {
				return errPrinted
			}
			return fmt.Errorf("nothing runs on %s: start it with `taskwire up` (make up)", data)
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func readStatus(data string) (statusReport, error) {
	r := statusReport{Data: data, Parts: []stack.PartStatus{}}
	pid, err := runstate.Holder(data)
	if err != nil || pid == 0 {
		return r, err
	}
	state, err := runstate.Load(data)
	if err != nil {
		return r, err
	}
	r.Running, r.PID = true, pid
	if state == nil || state.Supervisor.PID != pid { // it is still building the programs
		return r, nil
	}
	r.URL, r.Ready = state.URL, state.Ready
	for _, p := range state.Parts {
		part := stack.PartStatus{Name: p.Name, Port: p.Port, Restarts: p.Restarts, Since: p.Since}
		if p.PID != 0 && p.Running() {
			part.PID, part.Ready, part.RSSBytes = p.PID, p.Ready, procid.Memory(p.PID)
		}
		r.Ready = r.Ready && part.Ready
		r.Parts = append(r.Parts, part)
	}
	return r, nil
}

func printStatus(out io.Writer, r statusReport) {
	if r.URL == "" {
		fmt.Fprintf(out, "Taskwire (pid %d) is starting.\n", r.PID)
		return
	}
	state := "not ready"
	if r.Ready {
		state = "ready"
	}
	fmt.Fprintf(out, "%s is %s (pid %d, data in %s)\n\n", r.URL, state, r.PID, r.Data)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PART\tPID\tPORT\tREADY\tRESTARTS\tMEMORY\tSINCE")
	var total int64
	for _, p := range r.Parts {
		pid, ready, memory := "-", "no", "-"
		if p.PID != 0 {
			pid, memory = fmt.Sprint(p.PID), mebibytes(p.RSSBytes)
		}
		if p.Ready {
			ready = "yes"
		}
		total += p.RSSBytes
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", p.Name, pid, p.Port, ready, p.Restarts, memory, time.Since(p.Since).Round(time.Second))
	}
	fmt.Fprintf(w, "all\t\t\t\t\t%s\t\n", mebibytes(total))
	w.Flush() // stdout is closed: nobody reads the result
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
