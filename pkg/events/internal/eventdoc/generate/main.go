// Command generate writes the files that are generated from the events package. Run go generate in that package's folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/pkg/events/internal/eventdoc"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := eventdoc.Files(dir)
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
