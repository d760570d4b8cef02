package main

import (
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

func TestUntilTheDatabaseIsMigratedRequestsAre503(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", migrations()...)
	user := uuid.NewString()
	for _, sql := range []string{
		`INSERT INTO users (id, email, name, timezone, role, password_hash, created_at, updated_at) VALUES (?, 'a@example.com', '', 'UTC', 'user', 'x', now(), now())`,
		`INSERT INTO heads (user_id) VALUES (?)`,
	} {
		if err := db.Gorm.Exec(sql, user).Error; err != nil {
			t.Fatal(err)
		}
	}
	key := authtest.SigningKey(t)
	signer, err := auth.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	release := servicetest.HoldMigration(t, db, "tasks")
	cfg := settings{DatabaseConns: 8, Base: servicetest.Base(t, appID, map[string]string{
		secretDatabase: db.AppURL, secretSigning: key, secretCursorKey: hex.EncodeToString(make([]byte, cursorKeyBytes)),
	}, 0)}
	s := servicetest.Start(t, cfg, run)
	token := map[string]string{"Authorization": authtest.Bearer(t, signer, user, auth.RoleUser)}
	public := []servicetest.Request{
		{Method: http.MethodGet, URL: s.Public + "/api/v1/tasks", Header: token},
		{Method: http.MethodGet, URL: s.Public + "/api/v1/sync", Header: token},
	}
	sidecar := map[string]string{"dapr-api-token": appToken}
	dapr := []servicetest.Request{
		{Method: http.MethodPost, URL: s.App + "/internal/heads", Body: `{"user_ids":["` + uuid.NewString() + `"]}`, Header: sidecar},
	}
	keys := servicetest.Request{Method: http.MethodGet, URL: s.App + "/internal/jwks", Header: sidecar}
	if got := s.Do(keys); got.Status != http.StatusOK {
		t.Errorf("keys before the migration: got %d %s, want 200: they need no database", got.Status, got.Body)
	}
	servicetest.CheckGate(t, s, release, public, dapr)
}
