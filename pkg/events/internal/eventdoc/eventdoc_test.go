package eventdoc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// packageDir is the folder of the events package, relative to this one.
const packageDir = "../.."

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	files, err := Files(packageDir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(packageDir, name))
		if err != nil {
			t.Errorf("%v: run make generate", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s does not match its source: run make generate", name)
		}
	}
	kept, err := filepath.Glob(filepath.Join(packageDir, schemaDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if _, ok := files[filepath.Join(schemaDir, filepath.Base(file))]; !ok {
			t.Errorf("%s belongs to no event", file)
		}
	}
}

func TestGenerationIsDeterministic(t *testing.T) {
	first, err := Files(packageDir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Files(packageDir)
	if err != nil {
		t.Fatal(err)
	}
	for name := range first {
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

func TestCatalogueHasEveryTopic(t *testing.T) {
	for _, topic := range events.Topics() {
		if strings.HasSuffix(topic.Name, ".dlq") || topic.Name == events.TopicAuditCheckpoints { // no app reads that one: docs/audit.md
			continue
		}
		found := false
		for _, e := range catalogue {
			ev, ok := e.value.(events.Event)
			found = found || ok && ev.Topic() == topic.Name && strings.HasPrefix(e.topic, "`"+topic.Name+"`") && ev.Name() == e.name()
		}
		if !found {
			t.Errorf("no event in the catalogue is on topic %s", topic.Name)
		}
	}
}

func TestRuleWithoutFieldIsAnError(t *testing.T) {
	rules["TaskEvent.nothing"] = chars(1, 2)
	defer delete(rules, "TaskEvent.nothing")
	if _, err := Files(packageDir); err == nil || !strings.Contains(err.Error(), "TaskEvent.nothing") {
		t.Errorf("Files() with a rule for no field = %v, want an error that names it", err)
	}
}
