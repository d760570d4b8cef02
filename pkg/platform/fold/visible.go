package fold

// This file decides which characters a reader can see.

import (
	"strings"
	"unicode"
)

// ignorable has the characters that show nothing wherever they are: Default_Ignorable_Code_Point in
// DerivedCoreProperties.txt of Unicode 15.
var ignorable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00ad, 0x00ad, 1}, {0x034f, 0x034f, 1}, {0x061c, 0x061c, 1}, {0x115f, 0x1160, 1}, {0x17b4, 0x17b5, 1},
		{0x180b, 0x180f, 1}, {0x200b, 0x200f, 1}, {0x202a, 0x202e, 1}, {0x2060, 0x206f, 1}, {0x3164, 0x3164, 1},
		{0xfe00, 0xfe0f, 1}, {0xfeff, 0xfeff, 1}, {0xffa0, 0xffa0, 1}, {0xfff0, 0xfff8, 1},
	},
	R32:         []unicode.Range32{{0x1bca0, 0x1bca3, 1}, {0x1d173, 0x1d17a, 1}, {0xe0000, 0xe0fff, 1}},
	LatinOffset: 1,
}

// blank has further characters that show nothing by themselves, although Unicode calls them neither ignorable nor white
// space: the empty Braille cell, the interlinear annotation characters, the format controls of Egyptian hieroglyphs and the
// empty musical notehead.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{0x2800, 0x2800, 1}, {0xfff9, 0xfffb, 1}},
	R32: []unicode.Range32{{0x13430, 0x13440, 1}, {0x1d159, 0x1d159, 1}},
}

// Visible reports whether s has a character that a reader can see.
func Visible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(ignorable, r) && !unicode.Is(blank, r)
	})
}
