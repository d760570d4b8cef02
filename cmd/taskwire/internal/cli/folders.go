package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// This file finds the repository and the data folder.

// dataFolder is the default data folder, in the repository.
const dataFolder = ".taskwire"

// dataFlag adds --data.
func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "data folder (default: "+dataFolder+" in the repository)")
}

// findRoot returns the folder that holds go.work: the current one or one above it.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in Taskwire's repository (no go.work in it or above it): change to the repository first", start)
		}
	}
}

// findData returns the data folder: the given one, or else that of the repository.
func findData(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	root, err := findRoot()
	if err != nil {
		return "", fmt.Errorf("%w, or give the data folder with --data", err)
	}
	return filepath.Join(root, dataFolder), nil
}
