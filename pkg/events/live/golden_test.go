package live_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

var update = flag.Bool("update", false, "write the golden documents in testdata")

// frame is a frame of either side.
type frame interface{ Encode() ([]byte, error) }

// samples returns one frame of each type, and the variants that have another form, by the name of its golden document.
func samples() map[string]frame {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	update := events.TaskUpdateEvent{
		EventID: "0192f0c1-2b3c-7d4e-8f50-617283940a01", SchemaVersion: events.SchemaVersion, EventType: events.Updated,
		TaskID: "t", UserID: "u", TaskVersion: 2, Seq: 7, Timestamp: at,
		TaskData: events.TaskData{
			ID: "t", UserID: "u", Title: "a <b>", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{},
			Timezone: "UTC", Version: 2, Seq: 7,
		},
	}
	deleted := update
	deleted.EventType = events.Deleted
	since, notifications, unread, second := int64(7), int64(4), int64(2), int64(1500)
	return map[string]frame{
		"client.auth":         live.Auth{Token: "x", Since: &since, NotificationsSince: &notifications},
		"client.auth.at-head": live.Auth{Token: "x"},
		"client.ping":         live.Ping{},

		"server.welcome":        live.Welcome{Seq: 7, NotificationSeq: &notifications, Unread: &unread, ConnectionID: "c", HeartbeatMS: 25_000},
		"server.welcome.partly": live.Welcome{Seq: 7, ConnectionID: "c", HeartbeatMS: 25_000},
		"server.event":          live.EventOf(&update),
		"server.event.deleted":  live.EventOf(&deleted),
		"server.notification": live.Notification{
			EventID: "e", SchemaVersion: events.SchemaVersion, EventType: events.Added, NotificationSeq: 4, Unread: 2, NotificationID: "n", TaskID: "t", UserID: "u", Kind: "reminder", Title: "x", Timestamp: at,
		},
		"server.resync":               live.Resync{Stream: live.StreamTasks, Reason: live.ReasonGap, Seq: 9},
		"server.resync.notifications": live.Resync{Stream: live.StreamNotifications, Reason: live.ReasonUnavailable, Seq: 4},
		"server.error":                live.Error{Code: live.Slow.String(), Message: "m", Retry: &second},
		"server.error.never":          live.BadFrame.Closing().ErrorFrame(),
		"server.pong":                 live.Pong{},
	}
}

func decode(name string, data []byte) (frame, error) {
	if strings.HasPrefix(name, "client.") {
		return live.DecodeClient(data)
	}
	return live.DecodeServer(data)
}

func goldenFile(name string) string { return filepath.Join("testdata", name+".json") }

func readGolden(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

func TestFramesAreTheGoldenDocuments(t *testing.T) {
	all := samples()
	for name, sample := range all {
		got, err := sample.Encode()
		if err != nil {
			t.Fatalf("%s: Encode: %v", name, err)
		}
		if *update {
			if err := os.WriteFile(goldenFile(name), append(slices.Clone(got), '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want := readGolden(t, goldenFile(name))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: Encode\n got %s\nwant %s", name, got, want)
		}
		if back, err := decode(name, want); err != nil || !reflect.DeepEqual(back, sample) {
			t.Errorf("%s: decode(%s)\n got %+v (%v)\nwant %+v", name, want, back, err, sample)
		}
	}
	files, err := filepath.Glob(goldenFile("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := all[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("%s belongs to no sample (samples: %v)", file, slices.Sorted(maps.Keys(all)))
		}
	}
}
