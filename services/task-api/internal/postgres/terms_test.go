package postgres

import (
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"pgregory.net/rapid"
)

// TestTheTermsOfATaskAreThoseThatTheDatabaseMakes: of any text the database's terms are the service's, or the service
// has none and leaves them to the database.
func TestTheTermsOfATaskAreThoseThatTheDatabaseMakes(t *testing.T) {
	f := newFixture(t)
	user := f.user()
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
		err = f.db.Raw(`SELECT want = CAST(? AS tsvector) AS same, CAST(want AS text) AS want, ? AS got
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

// TestBothWritersOfTermsMakeATaskFound: a row that comes without terms, as those of the version before, gets them from
// the trigger; so does one with a text that the service leaves to it.
func TestBothWritersOfTermsMakeATaskFound(t *testing.T) {
	f := newFixture(t)
	user, before := f.user(), f.user()
	f.create(user, `{"title":"garden of ours"}`)
	f.create(user, `{"title":"gärtner"}`)
	f.fill(before, 1) // without the column
	var missing int64
	if err := f.db.Raw(`SELECT count(*) FROM tasks WHERE search IS NULL`).Scan(&missing).Error; err != nil || missing != 0 {
		t.Errorf("%d tasks without terms, %v", missing, err)
	}
	for _, tc := range []struct{ user, q, want string }{
		{user, "GARDEN", "garden of ours"}, {user, "gart", "gärtner"}, {before, "garden", ""}, {before, "buy", "task buy 1"},
	} {
		if got := strings.Join(f.titles(tc.user, search(tc.q)), "|"); got != tc.want {
			t.Errorf("q=%s: got %q, want %q", tc.q, got, tc.want)
		}
	}
}
