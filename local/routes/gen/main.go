// Command gen writes the files that are generated from the table of routes, below the repository whose path it gets.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/local/routes"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("gen ROOT: got %d arguments", len(args))
	}
	files, err := routes.Generate()
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := os.WriteFile(filepath.Join(args[0], path), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
