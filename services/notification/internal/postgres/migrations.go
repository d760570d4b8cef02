package postgres

import (
	"embed"
	"io/fs"

	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations are the goose sets of the database notifications, in the order in which they run: the service's own one
// grants the runtime role its rights on the tables of those that follow.
func Migrations() []postgres.Set {
	own, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: it cannot be missing
	}
	return []postgres.Set{
		{Name: "notifications", FS: own},
		{Name: "inbox", FS: inbox.Migrations},
		{Name: "outbox", FS: outbox.Migrations},
	}
}
