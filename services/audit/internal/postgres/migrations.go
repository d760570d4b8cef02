package postgres

import (
	"embed"
	"io/fs"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the goose set of the database audit. The owner role runs it. Requests use the service's role.
func Migrations() postgres.Set {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above, so it exists
	}
	return postgres.Set{Name: "audit", FS: sub}
}
