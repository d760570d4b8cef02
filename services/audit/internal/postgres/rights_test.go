package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Runs the statements that would rewrite the log, with the service's database role.
func TestTheServicesDatabaseRoleCannotRewriteTheLog(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	add(t, s, changes(t, 3)...)
	var tables []string
	if err := db.Gorm.Raw(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'`).Scan(&tables).Error; err != nil {
		t.Fatal(err)
	}
	if want := []string{"checkpoints", "entries", "hashes"}; !slices.Equal(sorted(tables), want) {
		t.Fatalf("tables: got %v, want %v: add the statements for the rights of a new table to this test", tables, want)
	}
	for _, statement := range []string{
		`UPDATE entries SET actor = 'nobody'`,
		`UPDATE entries SET actor = actor WHERE false`,
		`DELETE FROM entries WHERE position = 2`,
		`TRUNCATE entries`,
		`UPDATE hashes SET hash = hash`,
		`DELETE FROM hashes`,
		`TRUNCATE hashes`,
		`UPDATE checkpoints SET checkpoint = ''`,
		`DELETE FROM checkpoints`,
		`TRUNCATE checkpoints`,
		`INSERT INTO entries SELECT * FROM entries ON CONFLICT (position) DO UPDATE SET actor = 'nobody'`,
		`SELECT 1 FROM entries FOR UPDATE`,
		`DROP TABLE entries`,
		`ALTER TABLE entries DROP CONSTRAINT leaf_hash_is_of_leaf`,
		`ALTER TABLE entries ADD COLUMN note text`,
		`CREATE TABLE other (id int)`,
		`CREATE TRIGGER t BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
		`CREATE RULE r AS ON INSERT TO entries DO INSTEAD NOTHING`,
		`GRANT UPDATE ON entries TO audit_app`,
		`SET ROLE audit_owner`,
		`UPDATE goose_audit SET version_id = 0`,
	} {
		err := db.Gorm.Exec(statement).Error
		var refused *pgconn.PgError
		switch {
		case strings.HasPrefix(statement, "GRANT"): // refused, or a warning that nothing was granted
		case !errors.As(err, &refused) || refused.Code != "42501":
			t.Errorf("%s: got %v, want insufficient_privilege (42501)", statement, err)
		}
	}
	var rights []string
	if err := db.Gorm.Raw(`SELECT DISTINCT privilege_type FROM information_schema.role_table_grants WHERE grantee = 'audit_app'`).Scan(&rights).Error; err != nil {
		t.Fatal(err)
	}
	if want := []string{"INSERT", "SELECT"}; !slices.Equal(sorted(rights), want) {
		t.Errorf("rights of the service: got %v, want %v", rights, want)
	}
	checkTree(t, s, 3)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
