// Package eventdoc generates two things from the events package: a JSON Schema for each event, and the page docs/events.md.
// Names and types come from the Go structs, descriptions from their comments, and examples from the golden documents. This
// package adds the rules that a Go type cannot express.
//
// The same source always gives the same bytes. A rule or a comment that matches no field is an error.
package eventdoc

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
)

// pageFile and schemaDir are the paths of the results, relative to the folder of the events package.
const (
	pageFile  = "../../docs/events.md"
	schemaDir = "schema"
)

// entry is one kind of document that is published on a topic.
type entry struct {
	value     any    // of the document's type
	file      string // the name of its schema, and the beginning of the names of its golden files
	topic     string // as text for the page
	key       string
	producer  string
	consumers string
	types     []string // its event types, if any
	example   string   // the name of the golden document that the page shows
	original  []string // the fields of its original form, if it has one
}

func (e entry) name() string { return reflect.TypeOf(e.value).Name() }

// catalogue lists every document.
var catalogue = []entry{
	{
		value: events.TaskEvent{}, file: "task-event", topic: topicWords(events.TopicTaskEvents), key: "user_id",
		producer: "task-api", consumers: "audit, recurring-task", types: words(events.TaskTypes()), example: "task-event.updated",
		original: []string{"event_id", "event_type", "task_id", "user_id", "task_data", "timestamp"},
	},
	{
		value: events.TaskUpdateEvent{}, file: "task-update-event", topic: topicWords(events.TopicTaskUpdates), key: "user_id",
		producer: "task-api", consumers: "websocket (every replica)", types: words(events.TaskTypes()), example: "task-update-event.completed",
		original: []string{"event_id", "event_type", "task_id", "user_id", "task_data", "timestamp"},
	},
	{
		value: events.ReminderEvent{}, file: "reminder-event", topic: topicWords(events.TopicReminders), key: "user_id",
		producer: "task-api", consumers: "notification", types: words(events.ReminderTypes()), example: "reminder-event.scheduled",
		original: []string{"event_id", "task_id", "user_id", "title", "due_at", "remind_at", "timestamp"},
	},
	{
		value: events.NotificationEvent{}, file: "notification-event", topic: topicWords(events.TopicNotifications), key: "user_id",
		producer: "notification", consumers: "websocket (every replica)", types: words(events.NotificationTypes()), example: "notification-event.added",
	},
	{
		value: events.AccountEvent{}, file: "account-event", topic: topicWords(events.TopicAccountEvents), key: "user_id",
		producer: "task-api", consumers: "audit; every replica of audit, notification, task-api and websocket", types: words(events.AccountTypes()), example: "account-event.logged_in",
	},
	{
		value: events.SessionUpdateEvent{}, file: "session-update-event", topic: topicWords(events.TopicTaskUpdates), key: "user_id",
		producer: "task-api", consumers: "websocket (every replica)", types: words(events.SessionTypes()), example: "session-update-event.session_ended",
	},
	{
		value: events.DeadLetter{}, file: "dead-letter", topic: "the event's topic with the suffix `.dlq` (1 partition)", key: "none",
		producer: "every consumer", consumers: "the operator (`taskwire dlq`)", example: "dead-letter.json",
	},
}

func topicWords(name string) string {
	for _, t := range events.Topics() {
		if t.Name == name {
			return fmt.Sprintf("`%s` (%d partitions)", t.Name, t.Partitions)
		}
	}
	panic("eventdoc: no topic " + name) // only if a constant of the events package is missing from Topics
}

// Files returns every generated file by its path, relative to dir, the folder of the events package.
func Files(dir string) (map[string][]byte, error) {
	src, err := readSource(dir)
	if err != nil {
		return nil, err
	}
	g := &generator{source: src, used: map[string]bool{}}
	files := map[string][]byte{}
	for _, e := range catalogue {
		doc, err := g.schemaFile(e)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", e.name(), err)
		}
		files[filepath.Join(schemaDir, e.file+".json")] = doc
	}
	page, err := g.page(dir)
	if err != nil {
		return nil, fmt.Errorf("page of the events: %w", err)
	}
	files[pageFile] = page
	return files, g.unused()
}

// generator generates the files and records which rules are used.
type generator struct {
	*source
	used map[string]bool
}

func (g *generator) unused() error {
	var unused []string
	for key := range rules {
		if !g.used[key] {
			unused = append(unused, key)
		}
	}
	for key := range requiredAnyway {
		if !g.used[key] {
			unused = append(unused, key)
		}
	}
	if len(unused) > 0 {
		return fmt.Errorf("rules that match no field: %s", strings.Join(unused, ", "))
	}
	return nil
}

// field is one field of a document.
type field struct {
	name     string // on the wire
	typ      reflect.Type
	doc      string
	rule     rule
	required bool // whether a producer always writes it
}

// fields returns the fields of a struct in wire order.
func (g *generator) fields(t reflect.Type) ([]field, error) {
	var list []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		doc := g.fieldDocs[t.Name()+"."+sf.Name]
		if name == "" || doc == "" {
			return nil, fmt.Errorf("%s.%s has no wire name or no comment", t.Name(), sf.Name)
		}
		f := field{name: name, typ: sf.Type, doc: doc, required: options == ""}
		if f.typ.Kind() == reflect.Pointer {
			f.typ = f.typ.Elem()
		}
		for _, key := range []string{t.Name() + "." + name, "*." + name} {
			if r, ok := rules[key]; ok {
				f.rule = r
				g.used[key] = true
				break
			}
		}
		if r, ok := requiredAnyway[t.Name()+"."+name]; ok {
			f.required = r
			g.used[t.Name()+"."+name] = true
		}
		list = append(list, f)
	}
	return list, nil
}
