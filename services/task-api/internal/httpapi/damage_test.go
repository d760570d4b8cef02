package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/testkit/apitest"
)

// This file breaks valid requests, for the fuzz test. Each function breaks one thing and returns the field that the refusal must
// name ("" for none), a description of the fault ("" if it changed nothing), and whether the request is invalid by the document.

// damage breaks one thing of a request.
func (f *fuzzer) damage(r *request) (field, why string, documented bool) {
	schema := r.op.bodySchema()
	switch choice := f.IntN(10); {
	case schema != nil && choice < 6:
		return f.damageMember(r, schema)
	case schema != nil && choice < 8:
		return f.damageBody(r)
	case choice == 8:
		if !strings.Contains(r.op.path, "/api/v1/") || r.op.method != http.MethodGet || r.op.public() || strings.HasSuffix(r.op.path, "{id}") || strings.HasSuffix(r.op.path, "/me") {
			return "", "", false
		}
		r.query.Set("unheard_of", "1")
		return "unheard_of", "is not a parameter", false
	}
	return f.damageParameter(r)
}

func (f *fuzzer) damageMember(r *request, schema *openapi3.Schema) (field, why string, documented bool) {
	var body map[string]any
	if err := json.Unmarshal(r.body, &body); err != nil {
		f.t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(schema.Properties))
	switch choice := f.IntN(6); {
	case choice == 0:
		body["unheard_of"] = f.IntN(2)
		field, why, documented = "unheard_of", "is not a member", false
	case choice == 1 && len(schema.Required) > 0:
		field, why, documented = apitest.Pick(f.Generator, schema.Required), "is missing", true
		delete(body, field)
	default:
		field = apitest.Pick(f.Generator, names)
		faults := f.Faults(schema.Properties[field].Value)
		if len(faults) == 0 {
			return "", "", false
		}
		fault := apitest.Pick(f.Generator, faults)
		body[field] = fault.Value
		why, documented = fault.Why, true
	}
	r.body = encoded(body)
	return field, why, documented
}

// bodyDamage has ways to make a body that is not a JSON object, or that two JSON parsers may read differently.
var bodyDamage = map[string]func(body string) string{
	"is cut off":                func(b string) string { return b[:len(b)-1] },
	"has something after":       func(b string) string { return b + " {}" },
	"is a list":                 func(b string) string { return "[" + b + "]" },
	"is null":                   func(string) string { return "null" },
	"is empty":                  func(string) string { return "" },
	"is not UTF-8":              func(b string) string { return `{"title":"` + "\xff" + `",` + b[1:] },
	"has half a surrogate pair": func(string) string { return `{"title":"\ud800"}` },
	"has NUL":                   func(string) string { return `{"title":"a\u0000b"}` },
	"is nested deeply":          func(string) string { return `{"tags":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}` },
	"has a name twice":          func(string) string { return `{"title":"a","title":"a"}` },
}

func (f *fuzzer) damageBody(r *request) (field, why string, documented bool) {
	if f.IntN(8) == 0 {
		r.mediaType = apitest.Pick(f.Generator, []string{"text/plain", "application/xml", "application/x-www-form-urlencoded", "nonsense"})
		return "", "has another media type", false
	}
	why = apitest.Pick(f.Generator, slices.Sorted(maps.Keys(bodyDamage)))
	r.body = []byte(bodyDamage[why](string(r.body)))
	return "", why, false
}

func (f *fuzzer) damageParameter(r *request) (field, why string, documented bool) {
	parameters := r.op.parameters()
	if len(parameters) == 0 {
		return "", "", false
	}
	p := apitest.Pick(f.Generator, parameters)
	switch p.In {
	case "path":
		r.path[p.Name] = apitest.Pick(f.Generator, []string{"1", uuid.NewString() + "x", "' OR 1=1", "🚀", "%00"})
		return "", "is not an id", p.Name == "id"
	case "header":
		if p.Name == "If-None-Match" && r.op.method == http.MethodGet {
			return "", "", false // for a read, a malformed If-None-Match is treated as absent
		}
		r.header.Set(p.Name, apitest.Pick(f.Generator, []string{"", strings.Repeat("k", 256), "\x80"}))
		return p.Name, "is not a valid " + p.Name, false
	}
	if p.Schema.Value.Type.Is("array") || p.Schema.Value.Type == nil {
		r.query[p.Name] = []string{"\x00"}
		return p.Name, "has NUL", false
	}
	if f.IntN(4) == 0 {
		r.query[p.Name] = append(queryTexts(f.Value(p.Name, p.Schema.Value)), "1")
		return p.Name, "is given twice", false
	}
	faults := slices.DeleteFunc(f.Faults(p.Schema.Value), func(x apitest.Fault) bool {
		_, composite := x.Value.(map[string]any)
		return composite || x.Value == nil || (p.Schema.Value.Type.Is("string") && x.Why == "a number")
	})
	if len(faults) == 0 {
		return "", "", false
	}
	fault := apitest.Pick(f.Generator, faults)
	r.query[p.Name] = queryTexts(fault.Value)
	return p.Name, fault.Why, true
}
