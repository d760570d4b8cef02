// How the YAML documents are read and written.

package components

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

const kindConfiguration = "Configuration"

// document is one Dapr resource.
type document struct {
	file       string
	kind, name string
	body       map[string]any
}

func (d *document) String() string {
	return fmt.Sprintf("%s %s (%s)", d.kind, d.name, filepath.Base(d.file))
}

// load reads the documents of the YAML files in dir, in the files' order. Two of the same kind and name are an error.
func load(dir string) ([]*document, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no YAML files in %s", dir)
	}
	var docs []*document
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		more, err := parse(file, raw)
		if err != nil {
			return nil, err
		}
		for _, d := range more {
			if other := find(docs, d.kind, d.name); other != nil {
				return nil, fmt.Errorf("%s is also in %s", d, other.file)
			}
			docs = append(docs, d)
		}
	}
	return docs, nil
}

func parse(file string, raw []byte) ([]*document, error) {
	var docs []*document
	for dec := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		d := &document{file: file}
		err := dec.Decode(&d.body)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if d.body == nil {
			continue // only comments
		}
		meta, _ := d.body["metadata"].(map[string]any)
		d.kind, _ = d.body["kind"].(string)
		d.name, _ = meta["name"].(string)
		if d.kind == "" || d.name == "" {
			return nil, fmt.Errorf("%s: document %d has no kind or no name", file, len(docs)+1)
		}
		docs = append(docs, d)
	}
}

func find(docs []*document, kind, name string) *document {
	for _, d := range docs {
		if d.kind == kind && d.name == name {
			return d
		}
	}
	return nil
}

// scopes returns the apps that the document is for. None means all.
func (d *document) scopes() ([]string, error) {
	list, ok := d.body["scopes"].([]any)
	if !ok && d.body["scopes"] != nil {
		return nil, fmt.Errorf("%s: scopes is not a list", d)
	}
	apps := make([]string, 0, len(list))
	for _, v := range list {
		app, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%s: scope %v is not an app id", d, v)
		}
		apps = append(apps, app)
	}
	return apps, nil
}

func (d *document) encode() ([]byte, error) {
	raw, err := yaml.Marshal(d.body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return raw, nil
}
