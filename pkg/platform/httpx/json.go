package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// DecodeJSON decodes the body strictly into dst, a pointer. It refuses, with 400 and the name of the field where there
// is one:
//   - an empty body, data after the value, and nesting deeper than maxDepth;
//   - invalid UTF-8, half of a surrogate pair, and NUL in a text;
//   - unknown fields, names in another case, duplicate names, and values of another type.
//
// A content type other than application/json, or for a PATCH application/merge-patch+json, and a compressed body are 415, a body above the engine's limit is 413, and one that
// does not arrive in the server's time is 408. null leaves a field unchanged, as in encoding/json. Use
// optional.Field to distinguish null from absent.
func DecodeJSON(c *gin.Context, dst any) error {
	if err := mediaType(c); err != nil {
		return err
	}
	if ce := c.GetHeader("Content-Encoding"); ce != "" && !strings.EqualFold(ce, "identity") {
		c.Header("Accept-Encoding", "identity") // RFC 9110, section 15.5.16
		return &Error{Code: CodeUnsupportedMedia, Message: "The body must not be compressed."}
	}
	if c.Request.Body == nil {
		return Invalid("", "The request has no body.")
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		if e := classify(err); e.Code == CodeTooLarge || e.Code == CodeRequestTimeout {
			return e
		}
		return &Error{Code: CodeInvalid, Message: "The body could not be read.", Err: err}
	}
	return UnmarshalStrict(body, dst)
}

// mergePatch is the type of a PATCH (RFC 7396). A body of application/json is taken for one too, as most clients send it.
const mergePatch = "application/merge-patch+json"

// mediaType refuses a body of another type. Another +json type, such as application/json-patch+json, has another meaning, so
// reading it as this one would change the wrong things.
func mediaType(c *gin.Context) error {
	given := strings.Join(c.Request.Header.Values("Content-Type"), ", ") // two types are none
	if given == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if c.Request.Method == http.MethodPatch {
		if err == nil && (media == mergePatch || media == "application/json") {
			return nil
		}
		c.Header("Accept-Patch", mergePatch) // RFC 5789, section 2.2
		return &Error{Code: CodeUnsupportedMedia, Message: "The body must be a JSON Merge Patch (Content-Type: " + mergePatch + ")."}
	}
	if err == nil && media == "application/json" {
		return nil
	}
	c.Header("Accept", "application/json") // RFC 9110, section 15.5.16
	return &Error{Code: CodeUnsupportedMedia, Message: "The body must be JSON (Content-Type: application/json)."}
}

// UnmarshalStrict decodes a body that is in memory, as strictly as DecodeJSON.
func UnmarshalStrict(body []byte, dst any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return Invalid("", "The request has no body.")
	}
	if !utf8.Valid(body) {
		return Invalid("", "The body is not UTF-8.")
	}
	if at := loneSurrogate(body); at >= 0 {
		return Invalid("", fmt.Sprintf("The body has half of a surrogate pair at byte %d.", at))
	}
	if err := walk(body, reflect.TypeOf(dst)); err != nil {
		return err
	}
	if err := json.Unmarshal(body, dst); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return wrongType(typeErr.Field, typeErr.Type)
		}
		return &Error{Code: CodeInvalid, Message: "The body is not valid.", Err: err} // the walk finds most errors before, with the name of the field
	}
	return nil
}

func wrongType(field string, t reflect.Type) *Error {
	want := "must be " + typeName(t) + "."
	if field == "" {
		return Invalid("", "The body "+want)
	}
	return Invalid(field, want)
}

// typeName names what a client must send for a Go type.
func typeName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "another value"
	}
}

// loneSurrogate returns the offset of the escape of half a surrogate pair (RFC 8259, section 8.2), or -1. encoding/json
// would replace it silently. In JSON only texts contain backslashes.
func loneSurrogate(body []byte) int {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		switch r := escapedUnit(body, i); {
		case r < 0:
			i++ // another escape: \\ for one
		case r >= 0xD800 && r <= 0xDBFF:
			if low := escapedUnit(body, i+6); low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		case r >= 0xDC00 && r <= 0xDFFF:
			return i
		default:
			i += 5
		}
	}
	return -1
}

// escapedUnit returns the UTF-16 unit of the escape \uXXXX at body[i:], or -1.
func escapedUnit(body []byte, i int) int64 {
	if i+6 > len(body) || body[i] != '\\' || body[i+1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 16)
	if err != nil {
		return -1
	}
	return int64(r) // 16 bits
}
