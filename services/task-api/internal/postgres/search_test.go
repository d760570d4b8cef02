package postgres_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"pgregory.net/rapid"
)

func search(q string) domain.Query { return domain.Query{Search: q, Sort: domain.SortRelevance} }

func TestSearchFindsEveryWordByItsBeginning(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for _, body := range []string{
		`{"title":"Buy milk","description":"two litres, café style","tags":["shopping list"]}`,
		`{"title":"Écrire à Zoë's team","tags":["Ärger"]}`,
		`{"title":"買い物リスト 🎉 party"}`,
		`{"title":"Don't panic: v1.2.3 (C++)","description":"mail ada@example.com \\ '' :* & | ! <->"}`,
		`{"title":"ПРИВЕТ мир","description":"Ｆｕｌｌｗｉｄｔｈ"}`,
	} {
		f.Make(user, body)
	}
	for q, want := range map[string]string{
		"mil":           "Buy milk",
		"MILK buy":      "Buy milk",
		"shop li":       "Buy milk",
		"cafe lit bu":   "Buy milk",
		"milk absent":   "",
		"ilk":           "",
		"ecrire":        "Écrire à Zoë's team",
		"ECRIRÉ zoe":    "Écrire à Zoë's team",
		"arger":         "Écrire à Zoë's team",
		"物":             "買い物リスト 🎉 party",
		"リスト":           "買い物リスト 🎉 party",
		"🎉":             "買い物リスト 🎉 party",
		"don't":         "Don't panic: v1.2.3 (C++)",
		"v1.2.3":        "Don't panic: v1.2.3 (C++)",
		"C++ pan":       "Don't panic: v1.2.3 (C++)",
		"ada@example":   "Don't panic: v1.2.3 (C++)",
		"привет":        "ПРИВЕТ мир",
		"fullw":         "ПРИВЕТ мир",
		"pending":       "", // a status is not a word of the task
		"':* & ! (milk": "Buy milk",
		"| <->":         "Don't panic: v1.2.3 (C++)",
		"milk |":        "",
		`\milk'`:        "Buy milk",
		"...":           "",
	} {
		if got := strings.Join(f.titles(user, search(q)), "|"); got != want {
			t.Errorf("q=%s: got %q, want %q", q, got, want)
		}
	}
	if got := f.titles(f.User(), search("milk")); len(got) != 0 {
		t.Errorf("search of another user: got %v, want none", got)
	}
}

func TestSearchRanksTitlesOverTagsOverDescriptions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.Make(user, `{"title":"in the text","description":"about the garden"}`)
	f.Make(user, `{"title":"garden"}`)
	f.Make(user, `{"title":"tagged","tags":["garden"]}`)
	f.Make(user, `{"title":"Garden again"}`)
	gone := f.Make(user, `{"title":"garden gone"}`)
	f.Apply(user, gone.ID, domain.Delete)
	const want = "Garden again|garden|tagged|in the text"
	for _, limit := range []int{1, 2, 3, 200} {
		q := search("gard")
		q.Limit = limit
		if got := strings.Join(f.titles(user, q), "|"); got != want {
			t.Errorf("pages of %d: got %q, want %q", limit, got, want)
		}
	}
	q := search("gard")
	q.Sort = domain.SortTitle
	if got := strings.Join(f.titles(user, q), "|"); got != "garden|Garden again|in the text|tagged" {
		t.Errorf("by title: got %q", got)
	}
}

func TestSearchFollowsEveryChange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"before","tags":["old"]}`)
	finds := func(q domain.Query, want bool) {
		t.Helper()
		if got := len(f.titles(user, q)) > 0; got != want {
			t.Errorf("%+v: found the task %v, want %v", q, got, want)
		}
	}
	finds(search("before"), true)
	f.Patch(user, task.ID, `{"title":"after","tags":["new"]}`)
	finds(search("before"), false)
	finds(search("old"), false)
	finds(search("after new"), true)
	f.Patch(user, task.ID, `{"description":"details"}`)
	finds(search("after new details"), true)
	f.Apply(user, task.ID, domain.Delete)
	finds(search("after"), false)
	f.Apply(user, task.ID, domain.Restore)
	finds(search("after"), true)
}

// No search text causes an error, and the prefixes of a task's words find the task.
func TestAnySearchIsSafeAndFindsATaskByPrefixes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	text := rapid.OneOf(rapid.StringN(1, 60, 200), rapid.StringMatching(`[ -~éÀßıİǅ買い한글กำไม่ﬁ①½ªµ½'\\:*&|!()<>"]{1,40}`))
	rapid.Check(t, func(rt *rapid.T) {
		title, message := domain.Line(text.Draw(rt, "title"), 1, 200)
		q, bad := domain.Line(text.Draw(rt, "q"), 1, 200)
		if bad == "" {
			if _, _, err := f.List(ctx(), user, domain.Query{Search: q, Sort: domain.SortRelevance, Limit: 1}); err != nil {
				rt.Fatalf("q=%q: %v", q, err)
			}
		}
		if message != "" {
			return
		}
		body, _ := json.Marshal(map[string]string{"title": title})
		task := f.Make(user, string(body))
		words := fold.Distinct(title)
		if len(words) == 0 || len(words) > fold.MaxWords {
			return
		}
		for i, w := range words {
			r := []rune(w)
			words[i] = string(r[:rapid.IntRange(1, len(r)).Draw(rt, "beginning")])
		}
		list, _, err := f.List(ctx(), user, domain.Query{Search: strings.Join(words, " "), Sort: domain.SortCreatedAt, Descending: true, Limit: 200})
		if err != nil || !slices.ContainsFunc(list, func(t domain.Task) bool { return t.ID == task.ID }) {
			rt.Fatalf("title %q, q=%q: got %d other tasks, want the task, %v", title, words, len(list), err)
		}
		f.Exec(`DELETE FROM tasks WHERE id = ?`, task.ID)
	})
}
