package postgres

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"pgregory.net/rapid"
)

// TestTheTermsOfATaskAreThoseThatTheDatabaseMakes: of any text the database's terms are the service's, or the service
// has none and leaves them to the database.
func TestTheTermsOfATaskAreThoseThatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	user := uuid.NewString()
	same := func(rt interface{ Fatalf(string, ...any) }, r taskRow) bool {
		own := ownTerms(r)
		if own == "" {
			return false
		}
		tags, err := r.Tags.Value()
		if err != nil {
			rt.Fatalf("%v", err)
		}
		var got struct {
			Same      bool
			Want, Got string
		}
		err = db.Gorm.Raw(`SELECT want = CAST(? AS tsvector) AS same, CAST(want AS text) AS want, ? AS got
			FROM task_search(CAST(? AS uuid), ?, ?, CAST(? AS jsonb), ?, CAST(? AS smallint)) AS want`,
			own, own, r.UserID, r.Title, r.Description, tags, string(r.Status), r.Priority).Scan(&got).Error
		if err != nil || !got.Same {
			rt.Fatalf("%+v: %v\n got %s\nwant %s", r, err, got.Got, got.Want)
		}
		return true
	}
	ascii := rapid.StringMatching(`[ -~\t\n]{0,60}`)
	text := rapid.OneOf(ascii, ascii, ascii, rapid.StringMatching(`[ -~éİＡ買]{0,20}`))
	rapid.Check(t, func(rt *rapid.T) {
		r := taskRow{UserID: user, Title: text.Draw(rt, "title"), Description: text.Draw(rt, "description"),
			Tags:     rapid.SliceOfN(text, 0, 4).Draw(rt, "tags"),
			Status:   rapid.SampledFrom([]events.Status{"pending", "in_progress", "completed", "cancelled"}).Draw(rt, "status"),
			Priority: rapid.IntRange(1, 4).Draw(rt, "priority")}
		whole := r.Title + r.Description + strings.Join(r.Tags, "")
		if same(rt, r) != isASCII(whole) {
			rt.Fatalf("%q: terms of its own %v", whole, !isASCII(whole))
		}
	})
	for name, r := range map[string]taskRow{
		"the longest texts":      {Title: strings.Repeat("a ", events.MaxTitle/2), Description: strings.Repeat("b ", events.MaxDescription/2), Tags: tagList{`it's \ a 'tag'`, "#tag"}},
		"a word at its bound":    {Title: strings.Repeat("x", maxTermWord)},
		"a word above its bound": {Title: strings.Repeat("x", maxTermWord+1)},
		"many positions":         {Title: "a", Description: strings.Repeat("b ", maxTermPosition+10)},
	} {
		r.UserID, r.Status, r.Priority = user, "pending", 2
		if !same(t, r) {
			t.Errorf("%s: no terms", name)
		}
	}
}
