// Package apitest compares a service's routes and answers with the API document that all services share.
//
// It promises that a test fails for a route that only the service or only the document has, for an answer whose status,
// media type, headers or body is not documented, and for an answer with an undocumented member.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Document is the API document in two forms: as it is served, and with every object closed to undocumented members.
type Document struct{ Served, Closed *openapi3.T }

// init adds the formats and media types of our services to the validator.
func init() {
	openapi3.DefineStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC9562))
	openapi3.DefineStringFormatValidator("email", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail))
	openapi3.DefineStringFormatValidator("moment", openapi3.NewRegexpFormatValidator(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$`))
	openapi3filter.RegisterBodyDecoder("application/jwk-set+json", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder(ndjson, openapi3filter.JSONBodyDecoder)
	for _, text := range []string{"text/html", "text/css", "text/javascript", "text/csv", "text/calendar"} {
		openapi3filter.RegisterBodyDecoder(text, openapi3filter.PlainBodyDecoder)
	}
}

// File reads a document from a file, as Load does.
func File(t testing.TB, name string) Document {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return Load(t, raw)
}

// Load reads a document in YAML or JSON. It fails the test if the document is not valid OpenAPI.
func Load(t testing.TB, raw []byte) Document {
	t.Helper()
	load := func(raw []byte) *openapi3.T {
		loader := openapi3.NewLoader()
		doc, err := loader.LoadFromData(raw)
		if err != nil {
			t.Fatalf("load the API document: %v", err)
		}
		if err := doc.Validate(loader.Context); err != nil {
			t.Fatalf("the API document is not valid OpenAPI: %v", err)
		}
		return doc
	}
	served := load(raw)
	encoded, err := json.Marshal(served)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		t.Fatal(err)
	}
	closeObjects(tree)
	if encoded, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	return Document{served, load(encoded)}
}

// closeObjects makes each schema with members refuse other members.
func closeObjects(node any) {
	switch v := node.(type) {
	case map[string]any:
		_, open := v["additionalProperties"]
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && !open {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}

var ginParameter = regexp.MustCompile(`:(\w+)`)

// CheckRoutes compares the routes of a service ("GET /api/v1/tasks/:id") with the operations whose x-service names it, in
// both directions.
func (d Document) CheckRoutes(t testing.TB, service string, routes []string) {
	t.Helper()
	var documented, served []string
	for path, item := range d.Served.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Extensions["x-service"] == service {
				documented = append(documented, method+" "+path)
			}
		}
	}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if method == http.MethodHead {
			continue // what GET has, which the document says once
		}
		if method == http.MethodGet && !slices.Contains(routes, http.MethodHead+" "+path) {
			t.Errorf("%s has no HEAD", route)
		}
		served = append(served, ginParameter.ReplaceAllString(route, "{$1}"))
	}
	for _, route := range served {
		if !slices.Contains(documented, route) {
			t.Errorf("%s is a route, but not in the API document as one of %s", route, service)
		}
	}
	for _, route := range documented {
		if !slices.Contains(served, route) {
			t.Errorf("%s is in the API document as one of %s, but no route", route, service)
		}
	}
}

// CheckAnswer compares an answer with the document. It ignores addresses that the document does not have.
func (d Document) CheckAnswer(t testing.TB, method, target string, status int, header http.Header, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	path, params := d.match(req.URL.Path)
	item := d.Closed.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return
	}
	if err := d.Validate(Input(d.Closed, path, method, params, req), status, header, body); err != nil {
		t.Errorf("%s %s: got %d %.500s, which is not in the API document: %v", method, target, status, body, err)
	}
}

// match returns the document's path for an address.
func (d Document) match(address string) (path string, params map[string]string) {
	got := strings.Split(address, "/")
	for candidate := range d.Closed.Paths.Map() {
		want := strings.Split(candidate, "/")
		if len(want) != len(got) {
			continue
		}
		found, fits := map[string]string{}, true
		for i, segment := range want {
			if name, ok := strings.CutPrefix(segment, "{"); ok {
				found[strings.TrimSuffix(name, "}")] = got[i]
			} else if segment != got[i] {
				fits = false
			}
		}
		if fits && (path == "" || len(found) < len(params)) {
			path, params = candidate, found
		}
	}
	return path, params
}

// Input returns a request in the validator's form.
func Input(doc *openapi3.T, path, method string, params map[string]string, req *http.Request) *openapi3filter.RequestValidationInput {
	item := doc.Paths.Value(path)
	return &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params,
		Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
	}
}

// ndjson has one JSON value in each line. The document's schema describes one value.
const ndjson = "application/x-ndjson"

// Validate returns nil if status, headers and body of an answer are documented, else what is wrong.
func (d Document) Validate(request *openapi3filter.RequestValidationInput, status int, header http.Header, body []byte) error {
	if media, _, _ := strings.Cut(header.Get("Content-Type"), ";"); media == ndjson {
		for line := range bytes.Lines(body) {
			if err := d.validate(request, status, header, line); err != nil {
				return err
			}
		}
		return nil
	}
	return d.validate(request, status, header, body)
}

func (Document) validate(request *openapi3filter.RequestValidationInput, status int, header http.Header, body []byte) error {
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}
