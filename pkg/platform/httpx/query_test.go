package httpx

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

type color string

// queryOf makes the query of a request to /things/:id.
func queryOf(raw string) *Query {
	c := &gin.Context{Request: httptest.NewRequest(http.MethodGet, "/things/x", nil)}
	c.Request.URL.RawQuery = raw
	c.Params = gin.Params{{Key: "id", Value: "01890A5D-AC96-774B-BCCE-B302099A8057"}}
	return NewQuery(c)
}

// readAll reads every kind of parameter.
func readAll(q *Query) {
	q.Text("text")
	q.Texts("texts", 2)
	q.Integer("n", -1, 9)
	q.Limit(50, 200)
	q.Boolean("flag")
	q.UUID("uuid")
	q.Instant("at")
	q.InstantOrDate("day", Years{1900, 2100})
	Choice(q, "sort", "a", "a", "b")
	Choices(q, "color", []color{"red", "blue"})
	q.Cursor()
}

func TestAQueryReturnsWhatWasGiven(t *testing.T) {
	q := queryOf("text=&texts=a&texts=b&n=-1&limit=7&flag=false&uuid=01890A5D-AC96-774B-BCCE-B302099A8057" +
		"&at=2030-01-31T15:04:05.5%2B02:00&day=2030-01-31&sort=b&color=red,blue&color=red&cursor=c")
	text, given := q.Text("text")
	n, _ := q.Integer("n", -1, 9)
	flag, at, day := q.Boolean("flag"), q.Instant("at"), q.InstantOrDate("day", Years{1900, 2100})
	for what, ok := range map[string]bool{
		"Text":          text == "" && given,
		"Texts":         slices.Equal(q.Texts("texts", 2), []string{"a", "b"}),
		"Integer":       n == -1,
		"Limit":         q.Limit(50, 200) == 7,
		"Boolean":       flag != nil && !*flag,
		"UUID":          q.UUID("uuid") == "01890a5d-ac96-774b-bcce-b302099a8057",
		"PathUUID":      q.PathUUID("id") == "01890a5d-ac96-774b-bcce-b302099a8057",
		"Instant":       at != nil && at.Equal(time.Date(2030, 1, 31, 13, 4, 5, 5e8, time.UTC)),
		"InstantOrDate": day != nil && day.Equal(time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)),
		"Choice":        Choice(q, "sort", "a", "a", "b") == "b",
		"Choices":       slices.Equal(Choices(q, "color", []color{"red", "blue"}), []color{"blue", "red"}),
		"Cursor":        q.Cursor() == "c",
	} {
		if !ok {
			t.Errorf("%s: got another value than the query has", what)
		}
	}
	if err := q.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
}

func TestAnAbsentParameterIsNoError(t *testing.T) {
	q := queryOf("")
	_, text := q.Text("text")
	_, n := q.Integer("n", 1, 2)
	if text || n || q.Limit(50, 200) != 50 || q.Boolean("flag") != nil || q.UUID("uuid") != "" || q.Instant("at") != nil ||
		q.InstantOrDate("day", Years{1, 2}) != nil || Choice(q, "sort", "a", "a", "b") != "a" || Choices(q, "color", []color{"red"}) != nil ||
		q.Texts("texts", 1) != nil || q.Cursor() != "" {
		t.Error("got a value of a parameter that was not given")
	}
	if err := q.Err(); err != nil {
		t.Errorf("Err: got %v, want nil", err)
	}
}

func TestAQueryRefusesByNameAndSaysWhatItTakes(t *testing.T) {
	const whole, when = "must be a whole number from -1 to 9", "must be a time like 2030-01-31T15:04:05Z (RFC 3339; + is written %2B)"
	for _, tc := range []struct{ raw, field, message string }{
		{"%zz", "", "The query string cannot be parsed: a percent sign is written %25 and a semicolon %3B."},
		{"a;b=1", "", "The query string cannot be parsed: a percent sign is written %25 and a semicolon %3B."},
		{"other=1", "other", "is not a parameter of this route"},
		{"z=1&other=1", "other", "is not a parameter of this route"},
		{"text=1&text=2", "text", "must be given only once"},
		{"limit=1&limit=1", "limit", "must be given only once"},
		{"texts=1&texts=2&texts=3", "texts", "must be given at most 2 times"},
		{"text=a%00b", "text", "must be UTF-8 without NUL characters"},
		{"text=%ff", "text", "must be UTF-8 without NUL characters"},
		{"%ff=1", "\uFFFD", "must be UTF-8 without NUL characters"},
		{"n=10", "n", whole},
		{"n=-2", "n", whole},
		{"n=", "n", whole},
		{"n=1.5", "n", whole},
		{"n=99999999999999999999", "n", whole},
		{"limit=0", "limit", "must be a whole number from 1 to 200"},
		{"limit=201", "limit", "must be a whole number from 1 to 200"},
		{"flag=1", "flag", "must be true or false"},
		{"flag=", "flag", "must be true or false"},
		{"uuid=42", "uuid", "must be a UUID"},
		{"uuid=", "uuid", "must be a UUID"},
		{"uuid=%7B01890a5d-ac96-774b-bcce-b302099a8057%7D", "uuid", "must be a UUID"},
		{"at=yesterday", "at", when},
		{"at=2030-01-31", "at", when},
		{"at=2030-01-31T15:04:05+02:00", "at", when}, // + is a space in a query
		{"at=0000-12-31T15:04:05Z", "at", when},
		{"day=1899-12-31", "day", when + " or a date like 2030-01-31"},
		{"sort=c", "sort", "must be one of a, b"},
		{"color=red,green", "color", "must be one of red, blue"},
		{"color=", "color", "must be one of red, blue"},
	} {
		q := queryOf(tc.raw)
		readAll(q)
		var got *Error
		if err := q.Err(); !errors.As(err, &got) || got.Code != CodeInvalid {
			t.Errorf("%s: got %v, want a 400", tc.raw, err)
			continue
		}
		switch {
		case tc.field == "" && (got.Message != tc.message || got.Fields != nil):
			t.Errorf("%s: got %q %v, want %q", tc.raw, got.Message, got.Fields, tc.message)
		case tc.field != "" && (len(got.Fields) != 1 || got.Fields[0] != FieldError{tc.field, tc.message}):
			t.Errorf("%s: got %+v, want %s %q", tc.raw, got.Fields, tc.field, tc.message)
		}
	}
}

func TestOnlyTheFirstProblemIsReported(t *testing.T) {
	q := queryOf("limit=0&unknown=1")
	q.Refuse("body", "comes first")
	q.Limit(1, 2)
	var got *Error
	if !errors.As(q.Err(), &got) || got.Fields[0].Field != "body" {
		t.Errorf("got %v, want the first problem", got)
	}
}

func TestUnknownParametersCanBeIgnored(t *testing.T) {
	q := queryOf("limit=2&unknown=1")
	limit := q.Limit(50, 200)
	q.IgnoreUnknown()
	if err := q.Err(); err != nil || limit != 2 {
		t.Errorf("got %d, %v, want 2 and no error", limit, err)
	}
}

// FuzzQuery checks that no query string makes the reader panic or pass values that it promises to refuse.
func FuzzQuery(f *testing.F) {
	f.Add("limit=1&color=red,blue&at=2030-01-31T15:04:05Z&uuid=01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("%00=%ff&a=1&a=2")
	f.Fuzz(func(t *testing.T, raw string) {
		q := queryOf(raw)
		limit, id, days := q.Limit(50, 200), q.UUID("uuid"), q.InstantOrDate("day", Years{1900, 2100})
		if limit < 1 || limit > 200 || (id != "" && len(id) != uuidLength) || (days != nil && (days.Year() < 1900 || days.Year() > 2100)) {
			t.Errorf("%q: got %d %q %v", raw, limit, id, days)
		}
		values, err := url.ParseQuery(raw)
		if _, given := values["unknown"]; (err != nil || given) && q.Err() == nil {
			t.Errorf("%q: got nil, want an error", raw)
		}
	})
}
