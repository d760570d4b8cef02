package domain

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// MaxSearchWords bounds the words of a search: each one needs its own scan of the index.
const MaxSearchWords = 16

// separators has the characters that separate words. The function search_words in the migrations has the same list.
var separators = &unicode.RangeTable{R16: []unicode.Range16{
	{0x0000, 0x002f, 1}, {0x003a, 0x0040, 1}, {0x005b, 0x0060, 1}, {0x007b, 0x00a9, 1}, {0x00ab, 0x00b4, 1},
	{0x00b6, 0x00b9, 1}, {0x00bb, 0x00bf, 1}, {0x00d7, 0x00d7, 1}, {0x00f7, 0x00f7, 1}, {0x055a, 0x055f, 1},
	{0x0589, 0x058a, 1}, {0x05be, 0x05be, 1}, {0x060c, 0x060c, 1}, {0x061b, 0x061b, 1}, {0x061f, 0x061f, 1},
	{0x066a, 0x066d, 1}, {0x06d4, 0x06d4, 1}, {0x0964, 0x0965, 1}, {0x2000, 0x206f, 1}, {0x2e00, 0x2e7f, 1},
	{0x3000, 0x3003, 1}, {0x3008, 0x3020, 1}, {0x3030, 0x3030, 1}, {0x30a0, 0x30a0, 1}, {0x30fb, 0x30fb, 1},
	{0xfe10, 0xfe1f, 1}, {0xfe30, 0xfe6f, 1}, {0xfff0, 0xffff, 1},
}, LatinOffset: 9}

// accents has the combining marks that are removed from words.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{0x0300, 0x036f, 1}, {0x0591, 0x05bd, 1}, {0x064b, 0x065f, 1}, {0xfe00, 0xfe0f, 1},
}}

// unspaced has the scripts without spaces between words: each character is a word.
var unspaced = &unicode.RangeTable{
	R16: []unicode.Range16{{0x3041, 0x3096, 1}, {0x30a1, 0x30fa, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xf900, 0xfaff, 1}},
	R32: []unicode.Range32{{0x20000, 0x3ffff, 1}},
}

// SearchWords splits a search into words in the same way as the database splits the searched texts. The database ignores case.
func SearchWords(q string) []string {
	folded := strings.Map(func(r rune) rune {
		if unicode.Is(accents, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(q))
	var spaced strings.Builder
	for _, r := range norm.NFKC.String(folded) {
		if unicode.Is(unspaced, r) {
			spaced.WriteRune(' ')
			spaced.WriteRune(r)
			r = ' '
		}
		spaced.WriteRune(r)
	}
	return strings.FieldsFunc(spaced.String(), func(r rune) bool { return unicode.Is(separators, r) })
}
