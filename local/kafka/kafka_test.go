package kafka

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheVersionOfJavaIsRead(t *testing.T) {
	for settings, want := range map[string]int{
		"    java.specification.version = 17\n":                                   17,
		"    java.specification.version = 1.8\n":                                  8,
		"  java.version = 25.0.1\n  java.specification.version = 25\n  x = y\n\n": 25,
	} {
		if got, err := javaVersion(settings); err != nil || got != want {
			t.Errorf("javaVersion(%q): got %d, %v, want %d", settings, got, err, want)
		}
	}
	if got, err := javaVersion("no version\n"); err == nil {
		t.Errorf("no version: got %d, want an error", got)
	}
}

// fakeJava puts a java with the given version on the PATH.
func fakeJava(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho '    java.specification.version = " + version + "' >&2\n"
	if err := os.WriteFile(filepath.Join(dir, "java"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("JAVA_HOME", "")
}

func TestAMissingPrerequisiteIsNamed(t *testing.T) {
	jars := t.TempDir()
	node := func(cfg Config) error {
		_, err := Prepare(t.Context(), cfg)
		return err
	}
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	if err := node(Config{}); !errors.Is(err, ErrNoJava) {
		t.Errorf("without Java: got %v, want ErrNoJava", err)
	}
	fakeJava(t, "11")
	if err := node(Config{}); !errors.Is(err, ErrNoJava) || !strings.Contains(err.Error(), "Java 11") {
		t.Errorf("with Java 11: got %v, want that it is too old", err)
	}
	fakeJava(t, "17")
	if err := node(Config{Jars: jars}); err == nil || !strings.Contains(err.Error(), "kafka.sh fetch") {
		t.Errorf("without jars: got %v, want how to get them", err)
	}
	if err := os.WriteFile(filepath.Join(jars, "kafka_2.13-4.4.0.jar"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int{0, 2} {
		if err := node(Config{Jars: jars, Dir: t.TempDir(), ID: id, Controllers: []string{"127.0.0.1:1"}}); err == nil {
			t.Errorf("node %d of 1: got no error", id)
		}
	}
	if err := node(Config{Jars: jars, Dir: t.TempDir(), ID: 1, Controllers: []string{"127.0.0.1:1"}}); err != nil {
		t.Errorf("node 1 of 1: %v", err)
	}
}

func TestAClusterReplicatesItsOwnTopicsToo(t *testing.T) {
	controllers := []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}
	for nodes, want := range map[int]string{1: "offsets.topic.replication.factor=1\n", 3: "offsets.topic.replication.factor=3\n"} {
		got := Config{ID: nodes, Port: 9, Controllers: controllers[:nodes]}.properties("/data")
		for _, line := range []string{want, "listeners=CLIENTS://127.0.0.1:9,CONTROLLER://" + controllers[nodes-1] + "\n", "auto.create.topics.enable=false\n"} {
			if !strings.Contains(got, line) {
				t.Errorf("%d nodes: settings lack %q:\n%s", nodes, line, got)
			}
		}
	}
}
