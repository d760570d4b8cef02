// Which requests are sent to a service, and which answers are right.

package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Probe sends generated requests, valid and invalid ones, to all operations of a service.
type Probe struct {
	Generator
	Document Document
	Service  string
	// Send sends a request as a user with the needed rights.
	Send func(*http.Request) (status int, header http.Header, body []byte)
	// Sensible changes a request to keep the rules that a schema does not express. It may be nil.
	Sensible func(operation string, path map[string]string, query url.Values, body map[string]any)
}

// probed is one request.
type probed struct {
	op           *openapi3.Operation
	method, path string
	parameters   []*openapi3.Parameter
	params       map[string]string
	query        url.Values
	schema       *openapi3.Schema // of the body
	body         map[string]any
}

func (r probed) target() string {
	target := r.path
	for name, value := range r.params {
		target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(value))
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	return target
}

func (r probed) request(t testing.TB) *http.Request {
	t.Helper()
	var body []byte
	if r.schema != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://localhost"+r.target(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.schema != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// Run sends a valid and an invalid request to each operation in each round. The answer to a valid request has to be
// documented and must not call the request invalid. The answer to an invalid one has to be a 4xx problem that names the
// field. Run returns the number of answers by operation and status.
func (p Probe) Run(t testing.TB, rounds int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for range rounds {
		for _, path := range slices.Sorted(maps.Keys(p.Document.Served.Paths.Map())) {
			item := p.Document.Served.Paths.Value(path)
			for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
				op := item.GetOperation(method)
				if op.Extensions["x-service"] != p.Service {
					continue
				}
				right := p.make(op, method, path, item)
				if err := openapi3filter.ValidateRequest(t.Context(), Input(p.Document.Served, path, method, right.params, right.request(t))); err != nil {
					t.Fatalf("%s %s: the generator made an invalid request: %v", method, right.target(), err)
				}
				status, _ := p.send(t, right)
				count[fmt.Sprint(op.OperationID, " ", status)]++
				if status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnsupportedMediaType {
					t.Errorf("%s %s %v: got %d for a request that the document allows", method, right.target(), right.body, status)
				}
				wrong := p.make(op, method, path, item)
				field, why := p.damage(&wrong)
				if why == "" {
					continue
				}
				status, body := p.send(t, wrong)
				count["refused"]++
				var problem struct{ Errors []struct{ Field string } }
				named := json.Unmarshal(body, &problem) == nil && slices.ContainsFunc(problem.Errors, func(e struct{ Field string }) bool {
					return e.Field == field || strings.HasPrefix(e.Field, field+"[") || strings.HasPrefix(e.Field, field+".")
				})
				if status < 400 || status >= 500 || !named {
					t.Errorf("%s %s %v: %s %s: got %d %.300s, want a 4xx problem that names it", method, wrong.target(), wrong.body, field, why, status, body)
				}
			}
		}
	}
	return count
}

func (p Probe) send(t testing.TB, r probed) (int, []byte) {
	t.Helper()
	status, header, body := p.Send(r.request(t))
	if status >= http.StatusInternalServerError {
		t.Errorf("%s %s %v: got %d %.300s", r.method, r.target(), r.body, status, body)
	} else if err := p.Document.Validate(Input(p.Document.Closed, r.path, r.method, r.params, r.request(t)), status, header, body); err != nil {
		t.Errorf("%s %s %v: got %d %.300s, which the document does not have: %v", r.method, r.target(), r.body, status, body, err)
	}
	return status, body
}

// make returns a request that the document allows. It has no cursor, because only the server makes cursors.
func (p Probe) make(op *openapi3.Operation, method, path string, item *openapi3.PathItem) probed {
	r := probed{op: op, method: method, path: path, params: map[string]string{}, query: url.Values{}}
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		parameter := ref.Value
		r.parameters = append(r.parameters, parameter)
		if parameter.Name == "cursor" || (!parameter.Required && p.IntN(2) == 0) {
			continue
		}
		texts := queryTexts(p.Value(parameter.Name, parameter.Schema.Value))
		switch {
		case parameter.In == "path":
			r.params[parameter.Name] = texts[0]
		case parameter.In == "query" && len(texts) > 0:
			r.query[parameter.Name] = texts
		}
	}
	if op.RequestBody != nil {
		r.schema = op.RequestBody.Value.Content["application/json"].Schema.Value
		r.body = p.object(r.schema)
	}
	if p.Sensible != nil {
		p.Sensible(op.OperationID, r.params, r.query, r.body)
	}
	return r
}

// damage breaks one rule of a request. why is "" if there is nothing to break.
func (p Probe) damage(r *probed) (field, why string) {
	if r.schema != nil && p.IntN(3) > 0 {
		if len(r.schema.Required) == 0 { // the members may exclude each other, so the wrong one is sent alone
			clear(r.body)
		}
		if p.IntN(4) == 0 {
			r.body["unheard_of"] = 1
			return "unheard_of", "is an unknown member"
		}
		field = Pick(p.Generator, slices.Sorted(maps.Keys(r.schema.Properties)))
		faults := slices.DeleteFunc(p.Faults(r.schema.Properties[field].Value), func(f Fault) bool { return f.Value == nil }) // null means the same as no member
		if len(faults) == 0 {
			return "", ""
		}
		fault := Pick(p.Generator, faults)
		r.body[field] = fault.Value
		return field, fault.Why
	}
	queries := slices.DeleteFunc(slices.Clone(r.parameters), func(q *openapi3.Parameter) bool { return q.In != "query" })
	if len(queries) == 0 || p.IntN(4) == 0 {
		r.query.Set("unheard_of", "1")
		return "unheard_of", "is an unknown parameter"
	}
	q := Pick(p.Generator, queries)
	schema := q.Schema.Value
	if p.IntN(4) == 0 && !schema.Type.Is("array") {
		r.query[q.Name] = append(queryTexts(p.Value(q.Name, schema)), "1")
		return q.Name, "is there twice"
	}
	if schema.Type.Is("array") {
		schema = schema.Items.Value
	}
	faults := slices.DeleteFunc(p.Faults(schema), func(f Fault) bool {
		_, composite := f.Value.(map[string]any)
		return composite || f.Value == nil || (schema.Type.Is("string") && f.Why == "a number")
	})
	if len(faults) == 0 {
		return "", ""
	}
	fault := Pick(p.Generator, faults)
	r.query[q.Name] = queryTexts(fault.Value)
	return q.Name, fault.Why
}

// queryTexts returns a value in the form of a query.
func queryTexts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i] = fmt.Sprint(item); !ok {
			if x, float := item.(float64); float {
				out[i] = strconv.FormatFloat(x, 'f', -1, 64)
			}
		}
	}
	return out
}
