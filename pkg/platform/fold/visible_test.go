package fold

import (
	"testing"
	"unicode"
)

// The table is written by hand, so that the package needs no table of its own for each property. Unicode derives it.
func TestIgnorableIsDerivedAsUnicodeSays(t *testing.T) {
	t.Parallel()
	for r := range unicode.MaxRune + 1 {
		want := unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector) &&
			!unicode.In(r, unicode.White_Space, unicode.Prepended_Concatenation_Mark) &&
			(r < 0xfff9 || r > 0xfffb) && (r < 0x13430 || r > 0x13440)
		if got := unicode.Is(ignorable, r); got != want {
			t.Errorf("%U: got ignorable %v, want %v", r, got, want)
		}
	}
}
