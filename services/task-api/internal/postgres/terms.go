package postgres

// This file makes the search terms of a task: of each row that is written, and of a list's filters. The database makes none,
// because its folding would depend on its version and its locale (docs/adr/0028).

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/platform/fold"
)

const (
	// maxTermWord is the length, in characters, at which a word is cut. It bounds the index; nobody types a longer word.
	maxTermWord = 64
	// maxTermPosition is the largest position in a tsvector.
	maxTermPosition = 16383
	// searchKeyLen is the number of characters of the user's id that each term begins with. They are the end of the id,
	// which is random. So the terms of two users differ, and a search reads only the entries of its own user in the index.
	// Two users may have the same key. The condition on user_id then separates their tasks.
	searchKeyLen = 8
)

// The kinds of terms. The kind follows the key of the user.
const (
	wordTerm     = "." // a word, with the weight A in the title, B in a tag and D in the description
	tagTerm      = "#" // a whole tag, folded
	statusTerm   = "="
	priorityTerm = "!"
)

// searchKey returns the prefix of all terms of a user.
func searchKey(userID string) string { return userID[len(userID)-searchKeyLen:] }

// searchTerms returns the terms of a row, as the input of a tsvector.
func (r taskRow) searchTerms() string {
	t := terms{own: "'" + searchKey(r.UserID)}
	t.add(statusTerm, string(r.Status))
	t.add(priorityTerm, strconv.Itoa(r.Priority))
	n := t.words(r.Title, 0, 'A')
	for _, tag := range r.Tags {
		t.add(tagTerm, termQuote.Replace(fold.Tag(tag)))
		n = t.words(tag, n, 'B')
	}
	t.words(r.Description, n, 'D')
	return t.String()
}

// wordsQuery returns the tsquery for the tasks that have all words of a search, each as the beginning of a word. For a text
// without a word it is a term that no task has, so it finds nothing.
func wordsQuery(userID, search string) string {
	words := fold.Distinct(search)
	if len(words) == 0 {
		return "'" + wordTerm + "'"
	}
	for i, w := range words {
		words[i] = "'" + searchKey(userID) + wordTerm + cutWord(w) + "':*"
	}
	return strings.Join(words, " & ")
}

// termQuote escapes a term for the input of a tsvector or tsquery. A word needs none, because quotes and backslashes
// separate words.
var termQuote = strings.NewReplacer(`\`, `\\`, `'`, `''`)

type terms struct {
	strings.Builder
	own string // a quote and the key of the user
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
	for _, w := range fold.Words(text) {
		n++
		t.add(wordTerm, cutWord(w))
		t.WriteByte(':')
		t.WriteString(strconv.Itoa(min(n, maxTermPosition)))
		t.WriteByte(weight)
	}
	return n
}

func cutWord(w string) string {
	if len(w) <= maxTermWord || utf8.RuneCountInString(w) <= maxTermWord {
		return w
	}
	return string([]rune(w)[:maxTermWord])
}
