package httpapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// members returns the JSON members of a type and of its inner objects, each as its path and its kind.
func members(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return []string{path + " time"}
	case t.Kind() == reflect.Slice:
		return members(t.Elem(), path+"[]")
	case t.Kind() == reflect.Map:
		return members(t.Elem(), path+"{}")
	case t.Kind() == reflect.Struct:
		var out []string
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				out = append(out, members(f.Type, path+"."+name)...)
			}
		}
		slices.Sort(out)
		return out
	}
	kind := strings.TrimRight(t.Kind().String(), "0123456789")
	return []string{fmt.Sprintf("%s %s", path, kind)}
}

// problem is httpx.Problem, which has any type of task.
type problem struct {
	httpx.Problem
	Task *events.TaskData `json:"task"`
}

// A handler that answers with its own type must write exactly the members of the generated type, with the same kinds.
func TestTheTypesOfAnswersMatchTheDocument(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct{ hand, generated any }{
		{events.TaskData{}, api.Task{}},
		{taskList{}, api.TaskList{}},
		{changedTask{}, api.ChangedTask{}},
		{occurrences{}, api.Occurrences{}},
		{preview{}, api.PreviewedRecurrence{}},
		{accounts.User{}, api.User{}},
		{accounts.Session{}, api.Session{}},
		{tasks.Stats{}, api.Stats{}},
		{problem{}, api.Problem{}},
	} {
		got, want := members(reflect.TypeOf(pair.hand), ""), members(reflect.TypeOf(pair.generated), "")
		if !slices.Equal(got, want) {
			t.Errorf("%T: got\n%s\nwant the members of %T:\n%s", pair.hand, strings.Join(got, "\n"), pair.generated, strings.Join(want, "\n"))
		}
	}
}

// ParseFields must accept every member of Task. A member that is not in NewTask must be read-only.
func TestTheTypesOfBodiesMatchTheDocument(t *testing.T) {
	t.Parallel()
	names := func(v any) []string {
		var out []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
		return out
	}
	written := slices.DeleteFunc(names(api.NewTask{}), func(name string) bool { return name == "id" }) // tested with the handler
	want := slices.Sorted(slices.Values(append([]string{"scope"}, written...)))
	for name, v := range map[string]any{"TaskPatch": api.TaskPatch{}, "ReplacedTask": api.ReplacedTask{}} {
		if got := slices.Sorted(slices.Values(names(v))); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want the members of NewTask without id, and scope, %v", name, got, want)
		}
	}
	for _, name := range names(api.Task{}) {
		fields, err := domain.ParseFields(map[string]json.RawMessage{name: json.RawMessage("null")})
		if err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
		_, err = domain.New("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058", fields, domain.Defaults{Timezone: "UTC"})
		readOnly := err != nil && strings.Contains(err.Error(), name+" is set by the server")
		if readOnly == slices.Contains(written, name) {
			t.Errorf("%s: got read-only %v, want the opposite, because NewTask has %v", name, readOnly, written)
		}
	}
}
