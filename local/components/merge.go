// How an override changes a document, and how placeholders are filled.

package components

import (
	"fmt"
	"regexp"
	"strings"
)

// override merges each override over the document of its kind and name.
func override(docs, overrides []*document) error {
	for _, o := range overrides {
		d := find(docs, o.kind, o.name)
		if d == nil {
			return fmt.Errorf("%s overrides nothing", o)
		}
		d.body = mergeMaps(d.body, o.body)
	}
	return nil
}

// mergeMaps merges over onto base, as Kubernetes' strategic merge does for these kinds: maps key by key, lists of named items
// item by item; everything else is replaced, and null removes a key.
func mergeMaps(base, over map[string]any) map[string]any {
	merged := make(map[string]any, len(base)+len(over))
	for k, v := range base {
		merged[k] = v
	}
	for k, v := range over {
		if v == nil {
			delete(merged, k)
			continue
		}
		merged[k] = merge(merged[k], v)
	}
	return merged
}

func merge(base, over any) any {
	switch over := over.(type) {
	case map[string]any:
		if base, ok := base.(map[string]any); ok {
			return mergeMaps(base, over)
		}
	case []any:
		if base, ok := base.([]any); ok {
			if merged, ok := mergeNamed(base, over); ok {
				return merged
			}
		}
	}
	return over
}

// nameKeys are the keys that name an item of a list in Dapr's resources.
var nameKeys = []string{"name", "storeName"}

// mergeNamed merges two lists if the same key names all their items.
func mergeNamed(base, over []any) ([]any, bool) {
	for _, key := range nameKeys {
		baseNames, ok1 := names(base, key)
		overNames, ok2 := names(over, key)
		if !ok1 || !ok2 {
			continue
		}
		merged := append([]any(nil), base...)
		for i, name := range overNames {
			at := len(merged)
			for j, other := range baseNames {
				if other == name {
					at = j
				}
			}
			if at == len(merged) {
				merged = append(merged, over[i])
				continue
			}
			merged[at] = merge(merged[at], over[i])
		}
		return merged, true
	}
	return nil, false
}

func names(list []any, key string) ([]string, bool) {
	got := make([]string, 0, len(list))
	for _, v := range list {
		m, _ := v.(map[string]any)
		name, ok := m[key].(string)
		if !ok {
			return nil, false
		}
		got = append(got, name)
	}
	return got, true
}

// placeholders are the values of ${NAME}, by name.
type placeholders map[string]string

var placeholder = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

// document returns a filled copy of a document.
func (p placeholders) document(body map[string]any) (map[string]any, error) {
	filled, err := p.fill(body)
	if err != nil {
		return nil, err
	}
	return filled.(map[string]any), nil // fill makes a map of a map
}

func (p placeholders) fill(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		filled := make(map[string]any, len(v))
		for k, item := range v {
			f, err := p.fill(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			filled[k] = f
		}
		return filled, nil
	case []any:
		filled := make([]any, 0, len(v))
		for _, item := range v {
			f, err := p.fill(item)
			if err != nil {
				return nil, err
			}
			filled = append(filled, f)
		}
		return filled, nil
	case string:
		var unknown []string
		filled := placeholder.ReplaceAllStringFunc(v, func(found string) string {
			name := placeholder.FindStringSubmatch(found)[1]
			value, ok := p[name]
			if !ok {
				unknown = append(unknown, found)
			}
			return value
		})
		if len(unknown) > 0 {
			return nil, fmt.Errorf("there is no value for %s", strings.Join(unknown, ", "))
		}
		return filled, nil
	default:
		return v, nil
	}
}
