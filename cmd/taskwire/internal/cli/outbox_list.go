package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// This file has the list that `taskwire outbox` prints.

const (
	// listPage is how many parked events are read at a time.
	listPage = 200
	// maxListed bounds the list: an operator with more parked events uses retry --all. The count is always exact.
	maxListed = 10_000
)

// outboxReport is one element of `taskwire outbox --json`.
type outboxReport struct {
	Database         string        `json:"database"`
	Backlog          int64         `json:"backlog"`
	OldestAgeSeconds float64       `json:"oldest_age_seconds"`
	Parked           int64         `json:"parked"`
	Events           []parkedEvent `json:"events"` // oldest first, at most maxListed
}

func listOutboxes(cmd *cobra.Command, f outboxFlags, check bool) error {
	ctx, stores, done, err := openParkedStores(cmd, f)
	if err != nil {
		return err
	}
	defer done()
	reports, parked := []outboxReport{}, int64(0)
	for _, s := range stores {
		r, err := readOutbox(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.database, err)
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
		return errPrinted
	case check && parked > 0:
		return fmt.Errorf("%d events are parked", parked)
	}
	return nil
}

func readOutbox(ctx context.Context, s namedStore) (outboxReport, error) {
	b, err := s.Backlog(ctx)
	if err != nil {
		return outboxReport{}, err
	}
	r := outboxReport{Database: s.database, Backlog: b.Waiting, OldestAgeSeconds: b.OldestAge.Seconds(), Parked: b.Parked, Events: []parkedEvent{}}
	for after := int64(0); len(r.Events) < maxListed; {
		page, err := s.List(ctx, after, listPage)
		if err != nil {
			return r, err
		}
		for _, p := range page {
			r.Events, after = append(r.Events, toJSON(s.database, p, false)), p.ID
		}
		if len(page) < listPage {
			break
		}
	}
	return r, nil
}

func printOutboxes(out io.Writer, reports []outboxReport) {
	for _, r := range reports {
		fmt.Fprintf(out, "%s: %d waiting", r.Database, r.Backlog)
		if r.Backlog > 0 {
			fmt.Fprintf(out, ", the oldest for %s", age(r.OldestAgeSeconds))
		}
		fmt.Fprintf(out, ", %d parked\n", r.Parked)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	head := "\nDATABASE\tID\tPARKED FOR\tTOPIC\tTASK\tUSER\tREASON\n"
	for _, r := range reports {
		for _, e := range r.Events {
			fmt.Fprintf(w, "%s%s\t%d\t%s\t%s\t%s\t%s\t%s\n", head, e.Database, e.ID, age(e.AgeSeconds), e.Topic, e.TaskID, e.UserID, oneLine(e.Reason))
			head = ""
		}
	}
	w.Flush() // stdout is closed: nobody reads the result
	for _, r := range reports {
		if more := r.Parked - int64(len(r.Events)); more > 0 {
			fmt.Fprintf(out, "and %d more in %s\n", more, r.Database)
		}
	}
}
