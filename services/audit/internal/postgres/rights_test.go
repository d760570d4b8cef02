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
	if want := []string{"append_turn", "checkpoints", "entries", "hashes"}; !slices.Equal(sorted(tables), want) {
		t.Fatalf("tables: got %v, want %v: add the statements for the rights of a new table to this test", tables, want)
	}
	for _, statement := range []string{
		`INSERT INTO entries SELECT * FROM entries`,
		`INSERT INTO entries (position, event_id, user_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash)
			VALUES (3, gen_random_uuid(), gen_random_uuid(), 'x', 0, 0, now(), now(), 'x', '{}', '', sha256('\x00'))`,
		`INSERT INTO hashes VALUES (1000000, sha256(''))`,
		`COPY hashes FROM PROGRAM 'true'`,
		`INSERT INTO append_turn VALUES (true)`,
		`SELECT * FROM append_turn FOR UPDATE`,
		`DO $$ BEGIN LOCK TABLE append_turn; END $$`,
		`SELECT entries_of('{}')`,
		`SELECT refuse('')`,
		`ALTER FUNCTION append_entries(bytea[]) SECURITY INVOKER`,
		`CREATE OR REPLACE FUNCTION append_entries(leaves bytea[]) RETURNS TABLE ("position" bigint, event_id uuid) LANGUAGE sql AS 'SELECT 1::bigint, NULL::uuid'`,
		`DROP FUNCTION append_entries(bytea[])`,
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
	if err := db.Gorm.Raw(`SELECT DISTINCT privilege_type FROM information_schema.role_table_grants WHERE grantee = 'audit_app' AND table_name <> 'checkpoints'`).Scan(&rights).Error; err != nil {
		t.Fatal(err)
	}
	if want := []string{"SELECT"}; !slices.Equal(sorted(rights), want) {
		t.Errorf("rights of the service: got %v, want %v", rights, want)
	}
	checkTree(t, s, 3)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
