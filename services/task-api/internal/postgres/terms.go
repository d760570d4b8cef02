package postgres

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of task_search in the migrations.
const (
	maxTermWord     = 64
	maxTermPosition = 16383 // a tsvector holds no higher one
)

// ownTerms is what task_search makes of a row, as the input of a tsvector; "" leaves it to the database. That is so
// for texts beyond ASCII: what is a lower case letter is then a question of the database's locale.
func ownTerms(r taskRow) string {
	if !isASCII(r.Title) || !isASCII(r.Description) {
		return ""
	}
	for _, tag := range r.Tags {
		if !isASCII(tag) {
			return ""
		}
	}
	t := terms{own: "'" + r.UserID[len(r.UserID)-searchKeyLen:]}
	t.add("=", string(r.Status))
	t.add("!", strconv.Itoa(r.Priority))
	n := t.words(r.Title, 0, 'A')
	for _, tag := range r.Tags {
		t.add("#", termQuote.Replace(tag))
		n = t.words(tag, n, 'B')
	}
	t.words(r.Description, n, 'D')
	return t.String()
}

// searchTerms is ownTerms as a column: nil leaves it to the trigger.
func (r taskRow) searchTerms() *string {
	if terms := ownTerms(r); terms != "" {
		return &terms
	}
	return nil
}

type terms struct {
	strings.Builder
	own string // a quote and the part of the user's id that makes a term the user's
}

func (t *terms) add(kind, value string) {
	if t.Len() > 0 {
		t.WriteByte(' ')
	}
	t.WriteString(t.own)
	t.WriteString(kind)
	t.WriteString(value)
	t.WriteByte('\'')
}

// words adds the words of a text, the first at the position after n, and returns the position of the last.
func (t *terms) words(text string, n int, weight byte) int {
	for i := 0; i < len(text); {
		for i < len(text) && !isWord(text[i]) {
			i++
		}
		start := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		if start == i {
			break
		}
		n++
		t.add(".", strings.ToLower(text[start:min(i, start+maxTermWord)]))
		t.WriteByte(':')
		t.WriteString(strconv.Itoa(min(n, maxTermPosition)))
		t.WriteByte(weight)
	}
	return n
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
