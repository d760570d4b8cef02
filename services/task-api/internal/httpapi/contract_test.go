package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/testkit/apitest"
)

// contract is the API document. It validates requests and answers.
type contract struct{ apitest.Document }

func loadContract(t testing.TB) contract {
	t.Helper()
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return contract{apitest.Load(t, raw)}
}

// apiOperation is one method of one path.
type apiOperation struct {
	method, path string
	item         *openapi3.PathItem
	*openapi3.Operation
}

// operations returns the operations that this service serves, sorted by path and method.
func (c contract) operations() []apiOperation {
	var out []apiOperation
	for path, item := range c.Served.Paths.Map() {
		for method, op := range item.Operations() {
			if service := op.Extensions["x-service"]; service == "task-api" || service == "every service" {
				out = append(out, apiOperation{method, path, item, op})
			}
		}
	}
	slices.SortFunc(out, func(a, b apiOperation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
}

// operation returns the operation with an operationId.
func (c contract) operation(id string) apiOperation {
	for _, op := range c.operations() {
		if op.OperationID == id {
			return op
		}
	}
	panic("the document has no operation " + id)
}

// parameters returns the parameters of the path and of the operation.
func (o apiOperation) parameters() []*openapi3.Parameter {
	var out []*openapi3.Parameter
	for _, ref := range slices.Concat(o.item.Parameters, o.Parameters) {
		out = append(out, ref.Value)
	}
	return out
}

// bodySchema returns the schema of the body, or nil if the body is not a JSON object.
func (o apiOperation) bodySchema() *openapi3.Schema {
	if o.RequestBody == nil || o.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	if schema := o.RequestBody.Value.Content["application/json"].Schema.Value; schema.Type.Is("object") {
		return schema
	}
	return nil
}

// file reports whether the body is a file, which has no schema.
func (o apiOperation) file() bool { return o.RequestBody != nil && o.bodySchema() == nil }

func (o apiOperation) public() bool { return o.Security != nil && len(*o.Security) == 0 }

// documentPath returns the path of a route in the form of the document: /tasks/{id} for /tasks/:id.
func documentPath(path string) string {
	segments := strings.Split(strings.ReplaceAll(path, `\:`, ":"), "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	return strings.Join(segments, "/")
}

// request is a request for one operation.
type request struct {
	op        apiOperation
	path      map[string]string
	query     url.Values
	header    http.Header
	body      []byte
	mediaType string
}

func (r *request) String() string {
	return fmt.Sprintf("%s %s (%s) %v %.600q", r.op.method, r.target(), r.mediaType, r.header, r.body)
}

func (r *request) target() string {
	target := r.op.path
	for name, value := range r.path {
		target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(value))
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	return target
}

func (r *request) http(t testing.TB, base, token string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(r.op.method, base+r.target(), bytes.NewReader(r.body))
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.mediaType != "" {
		req.Header.Set("Content-Type", r.mediaType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

// allows returns nil if the request is valid by the document.
func (c contract) allows(t testing.TB, r *request) error {
	return openapi3filter.ValidateRequest(context.Background(), c.input(t, r, c.Served))
}

// holds returns nil if the document has the status, the headers and the body of the answer.
func (c contract) holds(t testing.TB, r *request, a answer) error {
	return c.Validate(c.input(t, r, c.Closed), a.status, a.header, []byte(a.body))
}

func (c contract) input(t testing.TB, r *request, doc *openapi3.T) *openapi3filter.RequestValidationInput {
	return apitest.Input(doc, r.op.path, r.op.method, r.path, r.http(t, "http://localhost", ""))
}
