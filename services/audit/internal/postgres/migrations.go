package postgres

import (
	"embed"
	"io/fs"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the goose set of the database audit. It runs as the owner role; the service has another role.
func Migrations() postgres.Set {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above, so it exists
	}
	return postgres.Set{Name: "audit", FS: sub}
}
