// Command schemas writes JSON schemas for kubeconform from the OpenAPI document of an API server, which it reads from
// standard input. The document has the built-in kinds and those of the installed custom resources.
//
//	kubectl get --raw /openapi/v2 | schemas DIR
//
// Each kind gets a file GROUP_VERSION_KIND.json without references to others. It is strict: a field that the server does
// not know is an error.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type schema = map[string]any

const refPrefix = "#/definitions/"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "kubectl get --raw /openapi/v2 | schemas DIR")
		os.Exit(2)
	}
	n, err := write(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
	fmt.Println(n, "kinds")
}

func write(dir string) (int, error) {
	var document struct {
		Definitions map[string]schema `json:"definitions"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&document); err != nil {
		return 0, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	all := document.Definitions
	for name, d := range all {
		tighten(d)
		switch { // the document says string, but the server accepts a number too
		case strings.HasSuffix(name, ".intstr.IntOrString"), strings.HasSuffix(name, ".resource.Quantity"):
			all[name] = schema{"type": []string{"string", "integer", "number"}}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	n := 0
	for name, d := range all {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // kinds in several groups, like options, are in no manifest
			continue
		}
		kind := kinds[0].(map[string]any)
		used := schema{}
		collect(name, all, used)
		raw, err := json.Marshal(schema{"$ref": refPrefix + name, "definitions": used})
		if err != nil {
			return 0, err
		}
		group := kind["group"]
		if group == "" { // the name of the core group in kubeconform
			group = kind["version"]
		}
		file := fmt.Sprintf("%s_%s_%s.json", group, kind["version"], strings.ToLower(kind["kind"].(string)))
		if err := os.WriteFile(filepath.Join(dir, file), raw, 0o644); err != nil {
			return 0, err
		}
		n++
	}
	if n == 0 {
		return 0, fmt.Errorf("the document has no kinds")
	}
	return n, nil
}

// tighten makes unknown fields an error, in a definition and in everything within it.
func tighten(v any) {
	switch v := v.(type) {
	case map[string]any:
		if intOrString, _ := v["x-kubernetes-int-or-string"].(bool); intOrString {
			v["type"] = []string{"string", "integer"}
		}
		_, has := v["properties"].(map[string]any)
		_, decided := v["additionalProperties"]
		open, _ := v["x-kubernetes-preserve-unknown-fields"].(bool)
		if has && !decided && !open {
			v["additionalProperties"] = false
		}
		if _, is := v["format"].(string); is { // the server checks the formats of numbers and dates
			delete(v, "format")
		}
		for _, child := range v {
			tighten(child)
		}
	case []any:
		for _, child := range v {
			tighten(child)
		}
	}
}

// collect adds a definition and all definitions that it refers to.
func collect(name string, all map[string]schema, used schema) {
	if _, done := used[name]; done {
		return
	}
	used[name] = all[name]
	walk(all[name], func(ref string) { collect(strings.TrimPrefix(ref, refPrefix), all, used) })
}

func walk(v any, found func(ref string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			found(ref)
		}
		for _, child := range v {
			walk(child, found)
		}
	case []any:
		for _, child := range v {
			walk(child, found)
		}
	}
}
