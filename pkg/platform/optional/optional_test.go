package optional

import (
	"encoding/json"
	"testing"
)

func TestAFieldIsAbsentNullOrAValue(t *testing.T) {
	type body struct {
		Name Field[string] `json:"name"`
	}
	for raw, want := range map[string]Field[string]{
		`{}`:            {},
		`{"name":null}`: {Set: true, Null: true},
		`{"name":"a"}`:  {Set: true, Value: "a"},
		`{"name":""}`:   {Set: true},
	} {
		var got body
		if err := json.Unmarshal([]byte(raw), &got); err != nil || got.Name != want {
			t.Errorf("%s: got %+v (%v), want %+v", raw, got.Name, err, want)
		}
		if has := got.Name.HasValue(); has != (want.Set && !want.Null) {
			t.Errorf("%s: HasValue is %t", raw, has)
		}
	}
	var got body
	if err := json.Unmarshal([]byte(`{"name":1}`), &got); err == nil {
		t.Error("a value of another type: got nil, want an error")
	}
}
