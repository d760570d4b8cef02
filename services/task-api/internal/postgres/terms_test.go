package postgres

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"pgregory.net/rapid"
)

// Postgres accepts the terms of any task as a tsvector, and the query of each of its words finds them.
func TestTheTermsOfAnyTextAreFoundByItsWords(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	user := uuid.NewString()
	check := func(rt interface{ Fatalf(string, ...any) }, r taskRow) {
		for _, w := range append(fold.Distinct(r.Title+" "+r.Description+" "+strings.Join(r.Tags, " ")), "") {
			query, want := wordsQuery(user, w), w != ""
			if tags := r.Tags; w == "" && len(tags) > 0 {
				query, want = anyOf(user, tagTerm, spellings(tags[0])...), true
			}
			var found bool
			if err := db.Gorm.Raw(`SELECT CAST(? AS tsvector) @@ CAST(? AS tsquery)`, r.searchTerms(), query).Scan(&found).Error; err != nil || found != want {
				rt.Fatalf("%+v: query %s: found %v, %v, want %v", r, query, found, err, want)
			}
		}
	}
	text := rapid.OneOf(rapid.StringMatching(`[ -~\t\n]{0,40}`), rapid.StringMatching(`[ -~éßıİǅ買한글กำไม่ﬁ①½ªµ$€→'\\:*&|!()<>"]{0,30}`), rapid.StringN(0, 30, 90))
	rapid.Check(t, func(rt *rapid.T) {
		clean := func(label string) string { return strings.ReplaceAll(text.Draw(rt, label), "\x00", "") }
		r := taskRow{UserID: user, Title: clean("title"), Description: clean("description"), Tags: tagList{clean("tag") + "x"}, Status: "pending", Priority: 2}
		check(rt, r)
	})
	for name, r := range map[string]taskRow{
		"a quoted tag":           {Title: "t", Tags: tagList{`it's \ a 'tag'`}},
		"a word at its bound":    {Title: strings.Repeat("ж", maxTermWord)},
		"a word above its bound": {Title: strings.Repeat("ж", maxTermWord+1)},
		"many positions":         {Title: "a", Description: strings.Repeat("b ", maxTermPosition+10)},
	} {
		r.UserID, r.Status, r.Priority = user, "pending", 2
		t.Run(name, func(t *testing.T) { check(t, r) })
	}
	longest := taskRow{
		UserID: user, Title: strings.Repeat("ﷺ", events.MaxTitle), Tags: tagList{strings.Repeat("ﷺ", events.MaxTag)},
		Description: strings.Repeat("字", events.MaxDescription), Status: "pending", Priority: 2,
	}
	var size int
	if err := db.Gorm.Raw(`SELECT pg_column_size(CAST(? AS tsvector))`, longest.searchTerms()).Scan(&size).Error; err != nil || size == 0 {
		t.Errorf("the longest texts: got %d bytes, %v", size, err)
	}
}
