package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

const (
	// listPage is how many parked events are read at a time.
	listPage = 200
	// maxListed bounds the list: whoever has more needs retry --all, not their names. The count is always whole.
	maxListed = 10_000
	// reasonWidth keeps a line of the list on a terminal; show prints the whole reason.
	reasonWidth = 60
)

// outboxReport is one element of `taskwire outbox --json`.
type outboxReport struct {
	Database         string        `json:"database"`
	Backlog          int64         `json:"backlog"`
	OldestAgeSeconds float64       `json:"oldest_age_seconds"`
	Parked           int64         `json:"parked"`
	Events           []parkedEvent `json:"events"` // oldest first, at most maxListed
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
	Data        json.RawMessage `json:"data,omitempty"` // show and drop
}

func toJSON(database string, p outbox.Parked, data bool) parkedEvent {
	e := parkedEvent{
		Database: database, ID: p.ID, EventID: p.EventID, Topic: p.Topic, Type: p.Type, TaskID: p.Subject, UserID: p.Key,
		CreatedAt: p.CreatedAt.UTC(), ParkedAt: p.ParkedAt.UTC(), AgeSeconds: time.Since(p.ParkedAt).Seconds(), Reason: p.Reason,
		Bytes: len(p.Data), TraceParent: p.TraceParent,
	}
	if data {
		if e.Data = p.Data; !json.Valid(p.Data) { // it may be why it was refused
			e.Data, _ = json.Marshal(string(p.Data)) // a text always can be
		}
	}
	return e
}

func listOutboxes(cmd *cobra.Command, f outboxFlags, check bool) error {
	ctx, stores, done, err := openParkedStores(cmd, f)
	if err != nil {
		return err
	}
	defer done()
	reports, parked := []outboxReport{}, int64(0)
	for _, d := range stores {
		r, err := readOutbox(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.database, err)
		}
		reports, parked = append(reports, r), parked+r.Parked
	}
	out := cmd.OutOrStdout()
	if f.json {
		err = printJSON(out, reports)
	} else {
		printOutboxes(out, reports)
	}
	switch {
	case err != nil:
		return err
	case check && parked > 0 && f.json:
		return errSaid
	case check && parked > 0:
		return fmt.Errorf("%d events are parked", parked)
	}
	return nil
}

func readOutbox(ctx context.Context, d namedStore) (outboxReport, error) {
	b, err := d.Backlog(ctx)
	if err != nil {
		return outboxReport{}, err
	}
	r := outboxReport{Database: d.database, Backlog: b.Waiting, OldestAgeSeconds: b.OldestAge.Seconds(), Parked: b.Parked, Events: []parkedEvent{}}
	for after := int64(0); len(r.Events) < maxListed; {
		page, err := d.List(ctx, after, listPage)
		if err != nil {
			return r, err
		}
		for _, p := range page {
			r.Events, after = append(r.Events, toJSON(d.database, p, false)), p.ID
		}
		if len(page) < listPage {
			break
		}
	}
	return r, nil
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printOutboxes(out io.Writer, reports []outboxReport) {
	for _, r := range reports {
		fmt.Fprintf(out, "%s: %d waiting", r.Database, r.Backlog)
		if r.Backlog > 0 {
			fmt.Fprintf(out, ", the oldest for %s", ago(r.OldestAgeSeconds))
		}
		fmt.Fprintf(out, ", %d parked\n", r.Parked)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "\nDATABASE\tID\tPARKED FOR\tTOPIC\tTASK\tUSER\tREASON\n"
	for _, r := range reports {
		for _, e := range r.Events {
			fmt.Fprintf(w, "%s%s\t%d\t%s\t%s\t%s\t%s\t%s\n", head, e.Database, e.ID, ago(e.AgeSeconds), e.Topic, e.TaskID, e.UserID, oneLine(e.Reason))
			head = ""
		}
	}
	w.Flush() // as Fprintf above: nobody is left to tell
	for _, r := range reports {
		if more := r.Parked - int64(len(r.Events)); more > 0 {
			fmt.Fprintf(out, "and %d more in %s\n", more, r.Database)
		}
	}
}

func ago(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// oneLine is a reason's first words, without what would move the terminal's cursor.
func oneLine(s string) string {
	words := []rune(strings.Join(strings.Fields(printable(s)), " "))
	if len(words) > reasonWidth {
		return string(words[:reasonWidth-1]) + "…"
	}
	return string(words)
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func printParked(out io.Writer, e parkedEvent) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"database", e.Database}, {"id", fmt.Sprint(e.ID)}, {"event_id", e.EventID}, {"topic", e.Topic}, {"type", e.Type},
		{"task", e.TaskID}, {"user", e.UserID}, {"created", e.CreatedAt.Format(time.RFC3339)},
		{"parked", e.ParkedAt.Format(time.RFC3339) + ", " + ago(e.AgeSeconds) + " ago"},
		{"reason", printable(e.Reason)}, {"trace", e.TraceParent}, {"bytes", fmt.Sprint(e.Bytes)}, {"data", string(e.Data)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	w.Flush()
}
