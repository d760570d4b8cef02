package domain

import (
	"encoding/json"
	"reflect"
)

// checkReadOnly refuses a member that only the server sets, unless it has its current value.
func (f Fields) checkReadOnly(p *problems, t Task) {
	if len(f.readOnly) == 0 {
		return
	}
	var is map[string]any
	if err := json.Unmarshal(encode(t.TaskData), &is); err != nil {
		panic("domain: a task cannot be read back: " + err.Error())
	}
	for _, name := range readOnlyFields {
		raw, ok := f.readOnly[name]
		if !ok {
			continue
		}
		var got any
		if json.Unmarshal(raw, &got) == nil && got == false && is[name] == nil {
			continue // an answer leaves out false
		}
		if json.Unmarshal(raw, &got) != nil || !reflect.DeepEqual(got, is[name]) {
			p.add(name, "is set by the server and cannot be changed")
		}
	}
}
