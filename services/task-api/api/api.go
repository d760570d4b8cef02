// Package api is the OpenAPI document of all services: everything that Taskwire serves behind one origin. x-service of an
// operation names the service. Tests of each service compare its routes with the document, in both directions.
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

// JSON returns the document as JSON. The task API serves it.
func JSON() ([]byte, error) {
	out, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return out, nil
}
