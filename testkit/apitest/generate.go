// Values that a schema allows, and values that it refuses.

package apitest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// Generator makes values from schemas. The same seed makes the same values. Named makes the values of members and parameters
// whose rules a schema cannot express.
type Generator struct {
	*rand.Rand
	Named map[string]func(g Generator) any
}

// NewGenerator returns the Generator of a seed.
func NewGenerator(seed uint64, named map[string]func(g Generator) any) Generator {
	return Generator{rand.New(rand.NewPCG(seed, 1)), named}
}

// Pick returns one item of a list.
func Pick[T any](g Generator, list []T) T { return list[g.IntN(len(list))] }

// runes are the characters of generated texts. Each stays one character in NFC next to any other.
var runes = []rune("abcXYZ019 .,-_äßøéЖя中文字日本אبऄ€𝒳😀🚀")

// Instant returns a time in RFC 3339 from the year 1901 on.
func (g Generator) Instant() string {
	at := time.Date(1901+g.IntN(8000), 1, 1+g.IntN(365), g.IntN(24), g.IntN(60), g.IntN(60), 0, time.UTC)
	return at.Format(time.RFC3339)
}

// Value returns a value that the schema allows.
func (g Generator) Value(name string, s *openapi3.Schema) any {
	if make, ok := g.Named[name]; ok && !s.Type.Includes("object") {
		return make(g)
	}
	switch alternatives := slices.Concat(s.OneOf, s.AnyOf); {
	case len(s.Enum) > 0:
		return Pick(g, s.Enum)
	case len(alternatives) > 0:
		return g.Value(name, Pick(g, alternatives).Value)
	case len(s.AllOf) > 0 && s.Type == nil:
		return g.Value(name, s.AllOf[0].Value)
	case s.Type.IncludesNull() && g.IntN(5) == 0:
		return nil
	}
	switch {
	case s.Type == nil || s.Type.Is("null"):
		return nil
	case s.Type.Includes("string"):
		return g.text(s)
	case s.Type.Includes("integer"):
		lo, hi := bounds(s, -1000, 1000)
		return Pick(g, []int64{int64(lo), int64(hi), int64(lo) + g.Int64N(int64(hi)-int64(lo)+1)})
	case s.Type.Includes("number"):
		lo, hi := bounds(s, -1e6, 1e6)
		return Pick(g, []float64{lo, hi, 0, math.Trunc(lo + (hi-lo)*g.Float64())})
	case s.Type.Includes("boolean"):
		return g.IntN(2) == 0
	case s.Type.Includes("array"):
		n := g.IntN(4)
		if s.MaxItems != nil && g.IntN(6) == 0 {
			n = int(*s.MaxItems)
		}
		return g.list(name, s, max(n, int(s.MinItems)))
	}
	return g.object(s)
}

func (g Generator) list(name string, s *openapi3.Schema, n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = g.Value(name, s.Items.Value)
	}
	return out
}

func (g Generator) object(s *openapi3.Schema) map[string]any {
	out := map[string]any{}
	for name, property := range s.Properties {
		if slices.Contains(s.Required, name) || g.IntN(2) == 0 {
			out[name] = g.Value(name, property.Value)
		}
	}
	return out
}

func bounds(s *openapi3.Schema, lo, hi float64) (float64, float64) {
	if s.Min != nil {
		lo = *s.Min
		hi = max(hi, lo)
	}
	if s.Max != nil {
		hi = *s.Max
		lo = min(lo, hi)
	}
	return lo, hi
}

// text returns a string of the schema's format or length, often the shortest or the longest.
func (g Generator) text(s *openapi3.Schema) string {
	switch s.Format {
	case "uuid":
		return uuid.NewString()
	case "date":
		return g.Instant()[:10]
	case "date-time":
		return g.Instant()
	case "moment":
		at := g.Instant()
		return Pick(g, []string{at, strings.TrimSuffix(at, "Z"), at[:len("2006-01-02T15:04")]})
	}
	lo, hi := int(s.MinLength), 40
	if s.MaxLength != nil {
		hi = int(*s.MaxLength)
	}
	n := Pick(g, []int{lo, hi, lo + g.IntN(hi-lo+1), min(hi, lo+g.IntN(20))})
	return g.Letters(n)
}

// Letters returns a text of n characters. A server would trim none of them.
func (g Generator) Letters(n int) string {
	out := make([]rune, n)
	for i := range out {
		out[i] = Pick(g, runes)
	}
	if n > 0 {
		out[0], out[n-1] = 'a', 'z'
	}
	return string(out)
}

// Fault is a value that a schema refuses, with the reason.
type Fault struct {
	Why   string
	Value any
}

// Faults returns values that the schema refuses, one for each of its rules.
func (g Generator) Faults(s *openapi3.Schema) []Fault {
	var out []Fault
	add := func(why string, v any) { out = append(out, Fault{why, v}) }
	alternatives := slices.Concat(s.OneOf, s.AnyOf, s.AllOf)
	for _, alternative := range alternatives {
		out = append(out, g.Faults(alternative.Value)...)
	}
	if slices.ContainsFunc(alternatives, func(r *openapi3.SchemaRef) bool { return r.Value.Type.Is("null") }) {
		out = slices.DeleteFunc(out, func(f Fault) bool { return f.Value == nil })
	}
	if s.Type == nil || s.Type.Is("null") {
		return out
	}
	if !s.Type.IncludesNull() && len(s.Enum) == 0 {
		add("null", nil)
	}
	if !s.Type.Includes("string") {
		add("a text", "text")
	} else {
		add("a number", 7)
		add("an object", map[string]any{"a": 1})
		if s.MaxLength != nil && s.Format == "" {
			add("too long", g.Letters(int(*s.MaxLength)+1))
		}
		if s.MinLength > 0 {
			add("too short", g.Letters(int(s.MinLength)-1))
		}
		if len(s.Enum) > 0 || s.Format != "" {
			add("not of the set or format", "zz-none")
		}
	}
	if s.Type.Includes("array") {
		if s.MaxItems != nil {
			add("too many", g.distinct(int(*s.MaxItems)+1))
		}
		if items := s.Items.Value; items.MaxLength != nil {
			add("an item too long", []any{"ok", g.Letters(int(*items.MaxLength) + 1)})
		}
		add("an item of another type", []any{true})
	}
	if s.Min != nil {
		add("too small", *s.Min-math.Max(1, math.Abs(*s.Min)/10))
	}
	if s.Max != nil {
		add("too large", *s.Max+math.Max(1, math.Abs(*s.Max)/10))
	}
	return out
}

// distinct returns n different texts. They differ also without regard to case.
func (g Generator) distinct(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = uuid.NewString()
	}
	return out
}
