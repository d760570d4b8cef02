package eventdoc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// packageDir is the folder of the events package, seen from this one.
const packageDir = "../.."

func TestTheDerivedFilesAreUpToDate(t *testing.T) {
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
			t.Errorf("%s is not what its source says: run make generate", name)
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

func TestTheSameSourceGivesTheSameBytes(t *testing.T) {
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

func TestTheCatalogueHasEveryTopic(t *testing.T) {
	for _, topic := range events.Topics() {
		if strings.HasSuffix(topic.Name, ".dlq") {
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

func TestARuleWithoutFieldIsAnError(t *testing.T) {
	rules["TaskEvent.nothing"] = chars(1, 2)
	defer delete(rules, "TaskEvent.nothing")
	if _, err := Files(packageDir); err == nil || !strings.Contains(err.Error(), "TaskEvent.nothing") {
		t.Errorf("Files() with a rule for no field = %v, want an error that names it", err)
	}
}
