package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/fakedaprd"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestUntilTheDatabaseIsMigratedRequestsAre503(t *testing.T) {
	t.Parallel()
	db, signer, sidecar := pgtest.New(t, "notifications", postgres.Migrations()...), authtest.NewSigner(t), fakedaprd.New(t)
	sidecar.HandleKeys(signer.JWKS())
	release := servicetest.HoldMigration(t, db, postgres.Migrations()[0].Name)
	cfg := settings{AccountCheckEvery: time.Hour, Base: servicetest.Base(t, appID, map[string]string{
		secretDatabase: db.AppURL,
	}, sidecar.Port)}
	s := servicetest.Start(t, cfg, run)

	now, user := time.Now().UTC(), uuid.NewString()
	event, err := events.ReminderEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Scheduled, TaskID: uuid.NewString(),
		UserID: user, Title: "x", TaskVersion: 1, Timestamp: now, RemindAt: now,
		DueAt: time.Date(2036, time.December, 2, 4, 59, 59, 0, time.UTC), DueDate: "2036-12-01", Timezone: "America/New_York",
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"Authorization": authtest.Bearer(t, signer, user, auth.RoleUser)}
	list := servicetest.Request{Method: http.MethodGet, URL: s.Public + "/api/v1/notifications", Header: header}
	public := []servicetest.Request{
		list,
		{Method: http.MethodGet, URL: s.Public + "/api/v1/preferences", Header: header},
		{Method: http.MethodPut, URL: s.Public + "/api/v1/preferences", Body: `{"channels":[]}`, Header: header},
	}
	dapr := []servicetest.Request{
		s.Delivery(events.TopicReminders, string(event)),
		{Method: http.MethodPost, URL: s.App + "/reminder-cron", Header: map[string]string{"dapr-api-token": servicetest.AppToken}},
		{Method: http.MethodGet, URL: s.App + "/internal/notifications?user_id=" + user, Header: map[string]string{"dapr-api-token": servicetest.AppToken}},
		{Method: http.MethodPost, URL: s.App + "/internal/notification-heads", Body: `{"user_ids":["` + user + `"]}`, Header: map[string]string{"dapr-api-token": servicetest.AppToken}},
	}
	options := servicetest.Request{Method: http.MethodOptions, URL: s.App + "/reminder-cron", Header: dapr[1].Header}
	if got := s.Do(options); got.Status != http.StatusOK {
		t.Errorf("OPTIONS /reminder-cron before the migration: got %d %s, want 200: daprd asks once", got.Status, got.Body)
	}
	servicetest.CheckGate(t, s, release, public, dapr)
	s.Await(s.Public+"/metrics", http.StatusOK, `notification_reminders_delivered_total{late="false"} 1`)
	got := s.Do(list)
	for _, part := range []string{`"due_date":"2036-12-01"`, `"body":"Due Monday 1 December 2036."`, `"unread":1,"notification_seq":1`} {
		if got.Status != http.StatusOK || !strings.Contains(got.Body, part) {
			t.Errorf("list: got %d %s, want %s", got.Status, got.Body, part)
		}
	}
	for _, c := range []struct {
		request servicetest.Request
		want    string
	}{
		{dapr[2], `"has_more":false,"head":1,"items":[{"event_id":`},
		{dapr[3], `{"heads":{"` + user + `":1}}`},
	} {
		if got := s.Do(c.request); got.Status != http.StatusOK || !strings.Contains(got.Body, c.want) {
			t.Errorf("%s: got %d %s, want %s", c.request.URL, got.Status, got.Body, c.want)
		}
	}
}
