package optional

import (
	"encoding/json"
	"testing"
)

func TestFieldDistinguishesAbsentNullAndValue(t *testing.T) {
	for body, want := range map[string]Field[string]{
		`{}`:         {},
		`{"a":null}`: {Set: true, Null: true},
		`{"a":""}`:   {Set: true},
		`{"a":"x"}`:  {Set: true, Value: "x"},
	} {
		var got struct{ A Field[string] }
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.A != want {
			t.Errorf("Unmarshal(%s) = %+v, %v, want %+v", body, got.A, err, want)
		}
		if has := want.Set && !want.Null; got.A.Has() != has {
			t.Errorf("Has() of %s = %v, want %v", body, got.A.Has(), has)
		}
	}
	var wrong struct{ A Field[int] }
	if err := json.Unmarshal([]byte(`{"a":"x"}`), &wrong); err == nil {
		t.Error("Unmarshal of a value of the wrong type: got no error")
	}
}
