package cli

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// outboxApps are the databases that have an outbox, with the app whose secrets hold the owner's address.
var outboxApps = []struct{ database, app string }{{"tasks", "task-api"}, {"notifications", "notification"}}

const outboxHelp = `Shows what waits in the outboxes to be published, and the events that are parked: those that the broker refused for
ever (too large, a topic that is not there). A parked event is not lost and is not tried again by itself. A person
decides: mend the cause and retry it, or drop it.

What a retry means for order: the later events of the task went on while the event was parked. A retried event is
published behind everything that waits, with the event_id it always had, so consumers that have it already pass over
it, and those that know a newer version of the task do not go back to the older one; a log of all events shows it late.
Parked events of one task on one topic keep their order among themselves: one is not retried before an earlier one.

The databases are ` + "`tasks`" + ` and ` + "`notifications`" + `; their addresses come from the data folder's secrets. Exit code 0 is success, 1
is a failure, and with --check also that an event is parked.`

// outboxFlags say which outboxes are meant.
type outboxFlags struct {
	data, database, url string
	json                bool
}

func outboxCommand() *cobra.Command {
	var f outboxFlags
	var check bool
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "Show the backlog and the parked events; retry or drop them",
		Long:  outboxHelp,
		Example: "  taskwire outbox\n  taskwire outbox show 4711\n  taskwire outbox retry 4711\n  taskwire outbox retry --all\n" +
			"  taskwire outbox drop 4711 --yes > event.json\n  taskwire outbox --check --json   # for a monitor",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listOutboxes(cmd, f, check) },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.data, "data", "", "data folder (default: "+dataFolder+" in the repository)")
	flags.StringVar(&f.database, "database", "", "tasks or notifications (default: both)")
	flags.StringVar(&f.url, "database-url", "", "address of the database, instead of the data folder's secrets")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&check, "check", false, "fail when an event is parked")
	cmd.AddCommand(outboxShowCommand(&f), outboxRetryCommand(&f), outboxDropCommand(&f))
	return cmd
}

// namedStore is a store of parked events with the name of its database.
type namedStore struct {
	*outbox.ParkedStore
	database string
}

// openParkedStores opens the stores that the flags select. The returned context ends with Ctrl-C.
func openParkedStores(cmd *cobra.Command, f outboxFlags) (context.Context, []namedStore, func(), error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	var stores []namedStore
	closeAll := func() {
		for _, d := range stores {
			d.Close(context.WithoutCancel(ctx))
		}
		stop()
	}
	urls, err := outboxURLs(f)
	if err != nil {
		closeAll()
		return nil, nil, nil, err
	}
	for _, u := range urls {
		store, err := outbox.OpenParkedStore(ctx, u.url)
		if err != nil {
			closeAll()
			return nil, nil, nil, fmt.Errorf("open the outbox of %s: %w%s", u.database, err, u.hint)
		}
		stores = append(stores, namedStore{store, u.database})
	}
	return ctx, stores, closeAll, nil
}

type outboxURL struct{ database, url, hint string }

func outboxURLs(f outboxFlags) (urls []outboxURL, err error) {
	if f.url != "" {
		name := f.database
		if name == "" {
			name = "the given database"
		}
		return []outboxURL{{database: name, url: f.url}}, nil
	}
	data, err := findData(f.data)
	if err != nil {
		return nil, fmt.Errorf("%w, or its address with --database-url", err)
	}
	for _, a := range outboxApps {
		if f.database != "" && f.database != a.database {
			continue
		}
		url, err := secretfile.Value(filepath.Join(data, "secrets"), a.app, "migrate-url")
		if err != nil {
			return nil, err
		}
		urls = append(urls, outboxURL{a.database, url, " (is it running? `taskwire status`)"})
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("--database %q is neither tasks nor notifications", f.database)
	}
	return urls, nil
}

// findParked looks for an event in all stores.
func findParked(ctx context.Context, stores []namedStore, id string) (namedStore, outbox.Parked, error) {
	var in []namedStore
	var event outbox.Parked
	var names []string
	for _, d := range stores {
		names = append(names, d.database)
		found, err := d.Find(ctx, id)
		if errors.Is(err, outbox.ErrNotParked) {
			continue
		}
		if err != nil {
			return namedStore{}, event, fmt.Errorf("%s: %w", d.database, err)
		}
		in, event = append(in, d), found
	}
	switch len(in) {
	case 0:
		return namedStore{}, event, fmt.Errorf("no event %s is parked in %s: `taskwire outbox` lists those that are", id, strings.Join(names, " or "))
	case 1:
		return in[0], event, nil
	}
	return namedStore{}, event, fmt.Errorf("both databases have a parked event %s: say which with --database, or give the event_id", id)
}
