// Package api is the OpenAPI document of the whole of Taskwire: what all services together serve behind one origin.
// x-service at an operation names the one that serves it. Tests hold the task API's routes against it, both ways.
package api

import (
	_ "embed"
	"fmt"

	"github.com/goccy/go-yaml"
)

// The types of types.gen.go are the document's schemas.
//
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config generate.yaml openapi.yaml

//go:embed openapi.yaml
var document []byte

// JSON returns the document as it is served.
func JSON() ([]byte, error) {
	out, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return out, nil
}
