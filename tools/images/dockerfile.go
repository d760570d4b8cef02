package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// said holds the image configuration of the Dockerfile's last stage.
type said struct {
	user       string
	entrypoint []string
	labels     []instructions.KeyValuePair
}

// readDockerfile parses the Dockerfile with BuildKit's own parser. An instruction that assemble does not follow is an error,
// so that the two ways to build an image cannot differ.
func readDockerfile(file string) (said, error) {
	stages, err := parseDockerfile(file)
	if err != nil {
		return said{}, err
	}
	last := stages[len(stages)-1]
	if last.BaseName != "scratch" {
		return said{}, fmt.Errorf("%s: the last stage is from %s, not from scratch", filepath.Base(file), last.BaseName)
	}
	var s said
	copied := map[string]string{}
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			s.user = c.User
		case *instructions.EntrypointCommand:
			s.entrypoint = c.CmdLine
		case *instructions.LabelCommand:
			s.labels = append(s.labels, c.Labels...)
		case *instructions.CopyCommand:
			for _, from := range c.SourcePaths {
				copied[from] = c.Chown + " " + c.DestPath
			}
		case *instructions.ArgCommand:
		default:
			return said{}, fmt.Errorf("%s: tools/images does not support %s in the last stage", filepath.Base(file), c.Name())
		}
	}
	for from, want := range map[string]string{"/image/root/": "0:0 /", "/image/owned/": s.user + " /"} {
		if copied[from] != want {
			return said{}, fmt.Errorf("%s: %s is copied as %q, want %q", filepath.Base(file), from, copied[from], want)
		}
	}
	if s.user == "" || len(s.entrypoint) == 0 {
		return said{}, fmt.Errorf("%s: the last stage has no USER or no ENTRYPOINT", filepath.Base(file))
	}
	return s, nil
}

func parseDockerfile(file string) ([]instructions.Stage, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tree, err := parser.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return stages, nil
}

// expand returns the labels with their build arguments replaced.
func (s said) expand(args map[string]string) (map[string]string, error) {
	env := make([]string, 0, len(args))
	for k, v := range args {
		env = append(env, k+"="+v)
	}
	lex := shell.NewLex('\\')
	labels := map[string]string{}
	for _, l := range s.labels {
		value, _, err := lex.ProcessWord(l.Value, shell.EnvsFromSlice(env))
		if err != nil {
			return nil, fmt.Errorf("label %s: %w", l.Key, err)
		}
		labels[l.Key] = value
	}
	return labels, nil
}
