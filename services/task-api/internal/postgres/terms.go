package postgres

// This file makes the search terms of a new task in the service, because the trigger costs an insert more
// than all its indexes.

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The limits of task_search in the migrations.
const (
	maxTermWord     = 64
	maxTermPosition = 16383 // the largest position in a tsvector
)

// ownTerms returns the terms that task_search makes of a row, as the input of a tsvector. It returns "" for a row with
// other characters than ASCII, because the lower case of those depends on the database's locale.
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

// searchTerms returns ownTerms as the value of the column search. With nil, the trigger makes the terms.
func (r taskRow) searchTerms() *string {
	if terms := ownTerms(r); terms != "" {
		return &terms
	}
	return nil
}

type terms struct {
	strings.Builder
	own string // a quote and the part of the user's id that each term begins with
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

// words adds the words of a text at the positions from n+1 on. It returns the position of the last word.
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
