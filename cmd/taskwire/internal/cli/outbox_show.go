package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// This file has a parked event as the commands print it, and `taskwire outbox show`.

func outboxShowCommand(f *outboxFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one parked event with its data", Example: "  taskwire outbox show 4711 --json",
		Long: "Shows a parked event. ID is the id in the list, or the event_id.",
		Args: oneEvent,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withParked(cmd, *f, args[0], func(_ context.Context, s namedStore, p outbox.Parked) error {
				return printEvent(cmd.OutOrStdout(), f.json, toJSON(s.database, p, true))
			})
		},
	}
}

// parkedEvent is one parked event in JSON.
type parkedEvent struct {
	Database    string          `json:"database"`
	ID          int64           `json:"id"`
	EventID     string          `json:"event_id"`
	Topic       string          `json:"topic"`
	Type        string          `json:"type"`
	TaskID      string          `json:"task_id"`
	UserID      string          `json:"user_id"`
	CreatedAt   time.Time       `json:"created_at"`
	ParkedAt    time.Time       `json:"parked_at"`
	AgeSeconds  float64         `json:"age_seconds"` // since it was parked
	Reason      string          `json:"reason"`
	Bytes       int             `json:"bytes"`
	TraceParent string          `json:"trace_parent,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"` // in show and drop
}

// toJSON returns the event; data says whether with its data. Data that is not JSON, which may be why the broker refused
// the event, becomes a JSON string.
func toJSON(database string, p outbox.Parked, data bool) parkedEvent {
	e := parkedEvent{
		Database: database, ID: p.ID, EventID: p.EventID, Topic: p.Topic, Type: p.Type, TaskID: p.Subject, UserID: p.Key,
		CreatedAt: p.CreatedAt.UTC(), ParkedAt: p.ParkedAt.UTC(), AgeSeconds: time.Since(p.ParkedAt).Seconds(), Reason: p.Reason,
		Bytes: len(p.Data), TraceParent: p.TraceParent,
	}
	if data {
		if e.Data = p.Data; !json.Valid(p.Data) {
			e.Data, _ = json.Marshal(string(p.Data)) // a string can always be encoded
		}
	}
	return e
}

func printEvent(out io.Writer, asJSON bool, e parkedEvent) error {
	if asJSON {
		return printJSON(out, e)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"database", e.Database}, {"id", fmt.Sprint(e.ID)}, {"event_id", e.EventID}, {"topic", e.Topic}, {"type", e.Type},
		{"task", e.TaskID}, {"user", e.UserID}, {"created", e.CreatedAt.Format(time.RFC3339)},
		{"parked", e.ParkedAt.Format(time.RFC3339) + ", " + age(e.AgeSeconds) + " ago"},
		{"reason", printable(e.Reason)}, {"trace", e.TraceParent}, {"bytes", fmt.Sprint(e.Bytes)}, {"data", string(e.Data)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	return w.Flush()
}

// age formats a number of seconds.
func age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
