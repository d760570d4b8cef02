package fold

// This file decides which words a text has. A task is found by the words of its title, tags and description.

import (
	"unicode"
	"unicode/utf8"
)

// MaxWords bounds the different words of a search: each one needs its own scan of the index.
const MaxWords = 16

// unspaced has the scripts without spaces between words: each character is a word.
var unspaced = &unicode.RangeTable{
	R16: []unicode.Range16{{0x3041, 0x3096, 1}, {0x30a1, 0x30fa, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xf900, 0xfaff, 1}},
	R32: []unicode.Range32{{0x20000, 0x3ffff, 1}},
}

// Words returns the words of a text in their order. A word is a run of letters, digits and the marks that belong to
// them. A symbol is a word of its own, and so is a character of a script without spaces. Punctuation, white space and
// control characters separate words. The case of letters, accents and characters that show nothing are not part of a word.
func Words(s string) (words []string) {
	s = searchForm(s)
	start := -1 // of the current word
	for i, r := range s {
		kind := kindOf(r)
		if kind == inWord {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			words, start = append(words, s[start:i]), -1
		}
		if kind == ownWord {
			words = append(words, s[i:i+utf8.RuneLen(r)])
		}
	}
	if start >= 0 {
		words = append(words, s[start:])
	}
	return words
}

// The kinds of characters in a folded text.
const (
	separator = iota
	inWord    // a part of a word
	ownWord   // a word by itself
)

func kindOf(r rune) int {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return inWord
	case unicode.IsSymbol(r), unicode.Is(unspaced, r):
		return ownWord
	case unicode.In(r, unicode.P, unicode.Z, unicode.Cc, unicode.Cf):
		return separator
	}
	return inWord // also a character of a newer version of Unicode
}

// Distinct returns the different words of a search, in their order.
func Distinct(q string) (words []string) {
	seen := map[string]bool{}
	for _, w := range Words(q) {
		if !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}
