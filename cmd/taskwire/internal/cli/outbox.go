package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// This file has `taskwire outbox`: its flags, and which databases they select. Each subcommand has its own file.

// outboxApps are the databases that have an outbox, with the app whose secrets hold the owner's address.
var outboxApps = []struct{ database, app string }{{"tasks", apps.TaskAPI}, {"notifications", apps.Notification}}

const outboxHelp = `Shows what waits in the outboxes to be published, and the parked events: those that the broker can never accept (too
large, an unknown topic). A parked event is not lost, and it is not retried automatically. You decide: fix the cause and
retry it, or drop it.

What a retry means for order: the later events of the task were published while the event was parked. A retried event
is published after everything that waits, with the same event_id. Consumers that have it already skip it, and consumers
that know a newer version of the task keep the newer one. A log of all events shows it late. Parked events of one task
on one topic keep their order: one is not retried before an earlier one.

The databases are ` + "`tasks`" + ` and ` + "`notifications`" + `; their addresses come from the data folder's secrets. Exit code 0 is success, 1
is a failure, and with --check also a parked event.`

// outboxFlags select the outboxes.
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
	ctx, stop := untilInterrupted(cmd)
	var stores []namedStore
	closeAll := func() {
		for _, s := range stores {
			s.Close(context.WithoutCancel(ctx))
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

// outboxURL is the address of a database, and what to try when it does not answer.
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
		url, err := secretfile.Value(filepath.Join(data, "secrets"), secretfile.Migrate(a.app), secretfile.MigrateKey)
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

// withParked finds a parked event in the selected databases and runs do with it.
func withParked(cmd *cobra.Command, f outboxFlags, id string, do func(context.Context, namedStore, outbox.Parked) error) error {
	ctx, stores, done, err := openParkedStores(cmd, f)
	if err != nil {
		return err
	}
	defer done()
	store, event, err := findParked(ctx, stores, id)
	if err != nil {
		return err
	}
	return do(ctx, store, event)
}

// findParked looks for an event in all stores.
func findParked(ctx context.Context, stores []namedStore, id string) (namedStore, outbox.Parked, error) {
	var in []namedStore
	var event outbox.Parked
	var names []string
	for _, s := range stores {
		names = append(names, s.database)
		found, err := s.Find(ctx, id)
		if errors.Is(err, outbox.ErrNotParked) {
			continue
		}
		if err != nil {
			return namedStore{}, event, fmt.Errorf("%s: %w", s.database, err)
		}
		in, event = append(in, s), found
	}
	switch len(in) {
	case 0:
		return namedStore{}, event, fmt.Errorf("event %s is not parked in %s: `taskwire outbox` lists the parked events", id, strings.Join(names, " or "))
	case 1:
		return in[0], event, nil
	}
	return namedStore{}, event, fmt.Errorf("both databases have a parked event %s: choose one with --database, or give the event_id", id)
}

// oneEvent accepts exactly one id.
func oneEvent(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("which event? Give one id; `taskwire outbox` lists them")
	}
	return nil
}
