package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/fakedaprd"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/porttest"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start runs the service on a database. sidecarPort 0 is for no sidecar.
func start(t *testing.T, databaseURL string, sidecarPort int) *servicetest.Service {
	t.Helper()
	base := servicetest.Base(t, appID, map[string]string{
		secretDatabase: databaseURL,
	}, sidecarPort)
	return servicetest.Start(t, settings{Base: base}, run)
}

// taskEvent returns an event of a new task.
func taskEvent(t *testing.T) string {
	t.Helper()
	now, user, task := time.Now().UTC(), uuid.NewString(), uuid.NewString()
	raw, err := events.TaskEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Created, TaskID: task, UserID: user,
		TaskVersion: 1, Seq: 1, Timestamp: now, Actor: user,
		TaskData: events.TaskData{
			ID: task, UserID: user, Title: "x", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{},
			Timezone: "UTC", Version: 1, Seq: 1, CreatedAt: now, UpdatedAt: now,
		},
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheServiceRunsWithoutItsSidecar(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "audit", postgres.Migrations())
	s := start(t, db.AppURL, 0)
	s.Await(s.Public+"/healthz", http.StatusOK)
	s.Await(s.App+"/healthz", http.StatusOK) // migrated: it accepts deliveries
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, "sidecar")
	s.Await(s.Public+"/metrics", http.StatusOK, "audit_appended_total 0")
	s.Await(s.Public+"/api/v1/audit", http.StatusUnauthorized, "trace_id")

	delivery := s.Delivery(events.TopicTaskEvents, taskEvent(t))
	onThePublicSide, withoutToken := delivery, delivery
	onThePublicSide.URL = strings.Replace(delivery.URL, s.App, s.Public, 1)
	withoutToken.Header = map[string]string{"Content-Type": "application/cloudevents+json"}
	for _, c := range []struct {
		name   string
		r      servicetest.Request
		status int
	}{
		{"without the token", withoutToken, http.StatusUnauthorized},
		{"on the public side", onThePublicSide, http.StatusNotFound},
		{"by the sidecar", delivery, http.StatusOK},
		{"by the sidecar, again", delivery, http.StatusOK},
	} {
		got := s.Do(c.r)
		if got.Status != c.status || (got.Status == http.StatusOK && !strings.Contains(got.Body, "SUCCESS")) {
			t.Errorf("delivery %s: got %d %s, want %d", c.name, got.Status, got.Body, c.status)
		}
	}
	s.Await(s.Public+"/metrics", http.StatusOK, "audit_appended_total 1", "audit_duplicates_total 1")
}

func TestTheServiceStartsWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	unreachable := "postgres://audit_app@" + ports.Loopback(porttest.Closed(t)) + "/audit?sslmode=disable"
	s := start(t, unreachable, 0)
	s.Await(s.Public+"/healthz", http.StatusOK)
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, "database")
	s.Await(s.App+"/healthz", http.StatusServiceUnavailable) // the sidecar delivers nothing
}

func TestUntilTheDatabaseIsMigratedRequestsAre503(t *testing.T) {
	t.Parallel()
	db, signer, sidecar := pgtest.New(t, "audit", postgres.Migrations()), authtest.NewSigner(t), fakedaprd.New(t)
	sidecar.HandleKeys(signer.JWKS())
	answerForTheSigner(t, sidecar)
	release := servicetest.HoldMigration(t, db, "audit")
	s := start(t, db.AppURL, sidecar.Port)
	header := map[string]string{"Authorization": authtest.Bearer(t, signer, uuid.NewString(), auth.RoleUser)}
	var public []servicetest.Request
	for _, path := range []string{"", "/tasks/" + uuid.NewString(), "/checkpoint", "/key"} {
		public = append(public, servicetest.Request{Method: http.MethodGet, URL: s.Public + "/api/v1/audit" + path, Header: header})
	}
	for _, proof := range []string{"inclusion?position=0", "consistency?from=1"} { // which an empty log has none of
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Public+"/api/v1/audit/proof/"+proof, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", header["Authorization"])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("GET proof/%s: got %d and Retry-After %q, want 503 with a time", proof, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	deliveries := []servicetest.Request{s.Delivery(events.TopicTaskEvents, taskEvent(t))}
	servicetest.CheckGate(t, s, release, public, deliveries)
	s.Await(s.Public+"/metrics", http.StatusOK, "audit_appended_total 1")
}

// answerForTheSigner makes the sidecar answer for the app audit-signer.
func answerForTheSigner(t *testing.T, sidecar *fakedaprd.Sidecar) {
	t.Helper()
	signer := audittest.NewSigner(t)
	answer := func(w http.ResponseWriter, signed []byte) {
		_ = json.NewEncoder(w).Encode(map[string]string{"checkpoint": string(signed), "verifier_key": signer.Key})
	}
	sidecar.Handle(http.MethodGet, "audit-signer", "/internal/checkpoint", func(w http.ResponseWriter, r *http.Request) {
		signed, _, _ := signer.Last(r.Context())
		answer(w, signed)
	})
	sidecar.Handle(http.MethodPost, "audit-signer", "/internal/checkpoints", func(w http.ResponseWriter, r *http.Request) {
		var body domain.SignRequest
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		signed, err := signer.Sign(r.Context(), body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer(w, signed)
	})
}
