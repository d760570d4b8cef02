package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/auth"
)

func TestRevocationsAndEndedSessionsArePrunedWhenNoTokenNeedsThem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	add := func(kind string, age time.Duration) {
		t.Helper()
		f.Exec(`INSERT INTO revocations (kind, id, user_id, at, added_at) VALUES (?, ?, ?, ?, ?)`, kind, uuid.NewString(), user, f.Now().Add(-age), f.Now().Add(-age))
	}
	for _, kind := range []string{"session", "role", "token"} {
		add(kind, auth.AccessTokenLife+time.Minute)
		add(kind, auth.AccessTokenLife+10*time.Minute)
	}
	add("user", 24*time.Hour)
	add("user", 25*time.Hour)
	for _, age := range []time.Duration{6 * 24 * time.Hour, 8 * 24 * time.Hour} {
		f.Exec(`INSERT INTO refresh_families (id, user_id, created_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?)`,
			uuid.NewString(), user, f.Now(), f.Now().Add(time.Hour), f.Now().Add(-age))
	}
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{
		"revocations": 4, "revocations WHERE kind = 'user'": 1, "refresh_families WHERE revoked_at IS NOT NULL": 1, "refresh_families WHERE revoked_at IS NULL": 1,
	} {
		var got int
		if err := f.DB.Raw(`SELECT count(*) FROM ` + table).Scan(&got).Error; err != nil || got != want {
			t.Errorf("%s: got %d rows %v, want %d", table, got, err, want)
		}
	}
}

// The previous version of the service writes sessions without the new columns during an upgrade.
func TestASessionOfThePreviousVersionIsListedAndEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	id := uuid.NewString()
	f.Exec(`INSERT INTO refresh_families (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)`, id, user, f.Now().Add(-time.Minute), f.Now().Add(time.Hour))
	list, err := f.Store.Sessions(ctx(), user, f.Now())
	if err != nil || len(list) != 2 || list[1].ID != id || !list[1].LastUsedAt.Equal(list[1].CreatedAt) || list[1].Address != "" {
		t.Errorf("Sessions: got %+v %v, want the old one last, used when it began", list, err)
	}
}
