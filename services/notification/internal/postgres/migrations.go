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

// Migrations returns the goose sets of the database notifications, in the order in which they run. The service's own set
// comes first: it grants the runtime role its rights on the tables of the others.
func Migrations() []postgres.Set {
	own, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above, so it exists
	}
	return []postgres.Set{
		{Name: "notifications", FS: own},
		{Name: "inbox", FS: inbox.Migrations},
		{Name: "outbox", FS: outbox.Migrations},
	}
}
