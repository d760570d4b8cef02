package httpx

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/optional"
)

type rule struct {
	RRule  string `json:"rrule"`
	Anchor string `json:"anchor,omitempty"`
}

type base struct {
	Note string `json:"note"`
}

type request struct {
	base
	Title      string                     `json:"title"`
	Count      int                        `json:"count"`
	Size       uint8                      `json:"size"`
	Rate       float64                    `json:"rate"`
	On         *bool                      `json:"on"`
	Tags       []string                   `json:"tags"`
	Rule       *rule                      `json:"recurrence"`
	Rules      []rule                     `json:"rules"`
	At         *time.Time                 `json:"at"`
	Labels     map[string]rule            `json:"labels"`
	Free       any                        `json:"free"`
	Raw        json.RawMessage            `json:"raw"`
	Patch      optional.Field[rule]       `json:"patch"`
	PatchAt    optional.Field[*time.Time] `json:"patch_at"`
	Ignored    string                     `json:"-"`
	unexported string                     //nolint:unused // must not be reachable
}

func TestStrictJSONAcceptsValidDocuments(t *testing.T) {
	var got request
	body := `{"note":"n","title":"Grüße \ud83d\ude00","count":-3,"size":200,"rate":1.5,"on":true,"tags":["a","b"],
		"recurrence":{"rrule":"FREQ=DAILY"},"rules":[{"rrule":"x","anchor":"y"}],"at":"2026-03-01T09:00:00Z",
		"labels":{"l":{"rrule":"z"}},"free":{"any":[{"thing":1}]},"raw":{"k":9007199254740993},
		"patch":{"rrule":"p"},"patch_at":null}`
	if err := UnmarshalStrict([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	on := true
	want := request{
		base: base{"n"}, Title: "Grüße 😀", Count: -3, Size: 200, Rate: 1.5, On: &on, Tags: []string{"a", "b"},
		Rule: &rule{RRule: "FREQ=DAILY"}, Rules: []rule{{"x", "y"}}, At: &at, Labels: map[string]rule{"l": {RRule: "z"}},
		Free: map[string]any{"any": []any{map[string]any{"thing": 1.0}}}, Raw: json.RawMessage(`{"k":9007199254740993}`),
		Patch: optional.Field[rule]{Set: true, Value: rule{RRule: "p"}}, PatchAt: optional.Field[*time.Time]{Set: true, Null: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var absent request
	if err := UnmarshalStrict([]byte(`{"title":null}`), &absent); err != nil || absent.Patch.Set {
		t.Errorf("null and absent: got %+v, %v", absent.Patch, err)
	}
}

func TestStrictJSONRefusesWithTheNameOfTheField(t *testing.T) {
	for _, tc := range []struct{ name, body, field, say string }{
		{"empty", ``, "", "no body"},
		{"white space", " \n ", "", "no body"},
		{"null", `null`, "", "must be an object"},
		{"a list", `[]`, "", "must be an object"},
		{"a text", `"x"`, "", "must be an object"},
		{"not JSON", `{"title":}`, "", "not valid JSON"},
		{"cut off", `{"title":"x"`, "", "not valid JSON"},
		{"a comma too many", `{"title":"x",}`, "", "not valid JSON"},
		{"trailing value", `{"title":"x"} {}`, "", "more after"},
		{"trailing garbage", `{"title":"x"}x`, "", "more after"},
		{"not UTF-8", "{\"title\":\"\xff\"}", "", "not UTF-8"},
		{"lone high surrogate", `{"title":"\ud800"}`, "", "surrogate"},
		{"lone low surrogate", `{"title":"\\\udc00"}`, "", "surrogate"},
		{"high surrogate before text", `{"title":"\ud800x"}`, "", "surrogate"},
		{"unknown field", `{"titel":"x"}`, "titel", "not a field"},
		{"field in another case", `{"Title":"x"}`, "Title", "not a field"},
		{"field that is not for JSON", `{"Ignored":"x"}`, "Ignored", "not a field"},
		{"unexported field", `{"unexported":"x"}`, "unexported", "not a field"},
		{"unknown field inside", `{"recurrence":{"rrule":"x","interval":2}}`, "recurrence.interval", "not a field"},
		{"unknown field in a list", `{"rules":[{},{"rule":1}]}`, "rules[1].rule", "not a field"},
		{"unknown field in a map", `{"labels":{"a":{"b":1}}}`, "labels.a.b", "not a field"},
		{"unknown field in an optional", `{"patch":{"b":1}}`, "patch.b", "not a field"},
		{"doubled field", `{"title":"x","title":"y"}`, "title", "twice"},
		{"doubled field through an escape", `{"title":"x","t\u0069tle":"y"}`, "title", "twice"},
		{"doubled key in free JSON", `{"free":{"a":1,"a":2}}`, "free.a", "twice"},
		{"NUL", `{"title":"a\u0000b"}`, "title", "NUL"},
		{"NUL in free JSON", `{"raw":[["\u0000"]]}`, "raw[0][0]", "NUL"},
		{"NUL in a name", `{"free":{"\u0000":1}}`, "free", "NUL"},
		{"number for a text", `{"title":1}`, "title", "must be a text"},
		{"text for a number", `{"count":"1"}`, "count", "must be a whole number"},
		{"fraction for a whole number", `{"count":1.5}`, "count", "must be a whole number"},
		{"number too large", `{"count":99999999999999999999}`, "count", "must be a whole number"},
		{"negative number", `{"size":-1}`, "size", "not negative"},
		{"number above its size", `{"size":256}`, "size", "not negative"},
		{"text for a flag", `{"on":"yes"}`, "on", "true or false"},
		{"text for a list", `{"tags":"a"}`, "tags", "must be a list"},
		{"number in a list", `{"tags":["a",1]}`, "tags", "must be a text"},
		{"list for an object", `{"recurrence":[]}`, "recurrence", "must be an object"},
		{"not a time", `{"at":"tomorrow"}`, "at", "RFC 3339"},
		{"a time without zone", `{"at":"2026-03-01T09:00:00"}`, "at", "RFC 3339"},
		{"a number for a time", `{"at":17}`, "at", "RFC 3339"},
		{"not a time in an optional", `{"patch_at":"x"}`, "patch_at", "RFC 3339"},
		{"nesting", `{"free":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "free" + strings.Repeat("[0]", maxDepth), "nested"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := UnmarshalStrict([]byte(tc.body), &request{})
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeInvalid {
				t.Fatalf("got %v, want an *Error that is invalid", err)
			}
			if !strings.Contains(e.Message, tc.say) {
				t.Errorf("got message %q, want it to say %q", e.Message, tc.say)
			}
			field := ""
			if len(e.Fields) == 1 {
				field = e.Fields[0].Field
			}
			if field != tc.field {
				t.Errorf("got field %q, want %q", field, tc.field)
			}
		})
	}
}

func TestNestingHasALimitOnBothSides(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"free":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`)
	}
	if err := UnmarshalStrict(nested(maxDepth+1), &request{}); err != nil { // the body itself is no nesting
		t.Errorf("%d deep: got %v, want it accepted", maxDepth, err)
	}
	var e *Error
	if err := UnmarshalStrict(nested(maxDepth+2), &request{}); !errors.As(err, &e) || e.Code != CodeInvalid {
		t.Errorf("%d deep: got %v, want it refused", maxDepth+1, err)
	}
}

type colour string

func (c *colour) UnmarshalText(b []byte) error {
	if string(b) != "red" {
		return Unprocessable("", "must be red.")
	}
	*c = colour(b)
	return nil
}

func TestATypesOwnErrorKeepsItsCodeAndGetsThePath(t *testing.T) {
	var dst struct {
		Colours []colour `json:"colours"`
	}
	err := UnmarshalStrict([]byte(`{"colours":["red","blue"]}`), &dst)
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeUnprocessable || len(e.Fields) != 1 || e.Fields[0] != (FieldError{"colours[1]", "must be red."}) {
		t.Errorf("got %+v, want 422 for colours[1]", e)
	}
}

func TestDecodeJSONWantsJSONOfABoundedSize(t *testing.T) {
	for _, tc := range []struct {
		name, contentType, body string
		want                    int
	}{
		{"JSON", "application/json; charset=utf-8", `{"title":"x"}`, http.StatusNoContent},
		{"no type", "", `{"title":"x"}`, http.StatusNoContent},
		{"a form", "application/x-www-form-urlencoded", `title=x`, http.StatusUnsupportedMediaType},
		{"nonsense", ";", `{}`, http.StatusUnsupportedMediaType},
		{"too large", "application/json", `{"title":"` + strings.Repeat("x", 200) + `"}`, http.StatusRequestEntityTooLarge},
		{"no body", "application/json", ``, http.StatusBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := NewEngine(Config{BodyLimit: 100})
			e.POST("/x", Wrap(func(c *gin.Context) error {
				var r request
				if err := DecodeJSON(c, &r); err != nil {
					return err
				}
				c.Status(http.StatusNoContent)
				return nil
			}))
			r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(tc.body))
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.want)
			}
		})
	}
}

func FuzzUnmarshalStrictAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"title":"x"}`, `{"tags":["\ud83d\ude00"],"raw":{"a":[1,2]}}`, `{"recurrence":{"rrule":"x"}}`, `[]`, `nul`, `{"count":1e2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, loose request
		if err := UnmarshalStrict(body, &strict); err != nil {
			return // stricter is fine
		}
		if err := json.Unmarshal(body, &loose); err != nil || !reflect.DeepEqual(strict, loose) {
			t.Errorf("%q: strict took %+v, encoding/json says %v, %+v", body, strict, err, loose)
		}
	})
}
