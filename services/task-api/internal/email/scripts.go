package email

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// This file has the rules for letters. They follow UTS 39 (Unicode Security Mechanisms): section 5.2, restriction level
// "highly restrictive", and section 4 for letters that look alike.

// ascii has the signs of an address (RFC 5322, atext and the dot). ASCII letters and digits are allowed as well.
const ascii = "!#$%&'*+-/=?^_`{|}~."

// Scripts that one word may mix, because Chinese, Japanese and Korean are written so (UTS 39, 5.1).
var together = [][]string{
	{"Han", "Hiragana", "Katakana"}, {"Han", "Bopomofo"}, {"Han", "Hangul"},
}

// unusual are Latin letters outside of the alphabets of languages: phonetic signs, half-width and full-width forms, and the
// letters without a dot. They look like ASCII letters.
var unusual = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0131, 0x0131, 1}, {0x017f, 0x0180, 1}, {0x0182, 0x0185, 1}, {0x0188, 0x0188, 1}, {0x018d, 0x018d, 1}, {0x0192, 0x0192, 1},
		{0x0195, 0x0196, 1}, {0x0199, 0x019b, 1}, {0x01a3, 0x01ae, 1}, {0x01b4, 0x01c3, 1}, {0x0221, 0x0221, 1}, {0x0234, 0x02af, 1},
		{0x1d00, 0x1dbf, 1}, {0x1e9c, 0x1e9d, 1}, {0x2c60, 0x2c7f, 1}, {0xa720, 0xa7ff, 1}, {0xab30, 0xab6f, 1}, {0xff00, 0xffef, 1},
	},
}

// latin has the letters of other scripts that a reader can hardly tell from one of a to z (confusables.txt of UTS 39).
const latin = "асеорхуіѕјһԁԛԝӏѵү" + // Cyrillic
	"αονρυικ" + // Greek
	"օսհոց" // Armenian

// oneScript reports whether a word has only letters, marks and digits of one script, or of scripts that are written together.
// Signs and digits of ASCII are of every script.
func oneScript(word string) bool {
	found := map[string]bool{}
	var before rune
	for _, r := range word {
		switch script := scriptOf(r); {
		case r <= unicode.MaxASCII:
			if script == "" && !strings.ContainsRune(ascii, r) && !unicode.IsDigit(r) {
				return false
			}
			if script != "" {
				found[script] = true
			}
		case !unicode.IsLetter(r) && !unicode.IsMark(r), norm.NFKC.String(string(r)) != string(r), unicode.Is(unusual, r), script == "":
			return false
		case script == inherited:
			// A mark that NFC could not join with its letter. Latin, Greek and Cyrillic letters need none: it would hide there.
			if s := scriptOf(before); s == "" || s == "Latin" || s == "Greek" || s == "Cyrillic" {
				return false
			}
		case script != common:
			found[script] = true
		}
		before = r
	}
	if len(found) < 2 {
		return true
	}
	for _, set := range together {
		n := 0
		for _, s := range set {
			if found[s] {
				n++
			}
		}
		if n == len(found) {
			return true
		}
	}
	return false
}

const (
	common    = "Common"
	inherited = "Inherited"
)

// scriptOf returns the script of a letter or mark, or "" for other characters.
func scriptOf(r rune) string {
	if !unicode.IsLetter(r) && !unicode.IsMark(r) {
		return ""
	}
	if r <= unicode.MaxASCII {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// scripts reports whether the word has Latin letters, and returns its first script that is not Latin.
func scripts(word string) (hasLatin bool, other string) {
	for _, r := range word {
		switch s := scriptOf(r); s {
		case "", common, inherited:
		case "Latin":
			hasLatin = true
		default:
			if other == "" {
				other = s
			}
		}
	}
	return hasLatin, other
}

// looksLatin reports whether each letter of the word looks like a Latin one.
func looksLatin(word string) bool {
	for _, r := range word {
		if unicode.IsLetter(r) && r > unicode.MaxASCII && !strings.ContainsRune(latin, r) {
			return false
		}
	}
	return true
}
