package domain

import (
	"slices"
	"testing"
)

func TestATextOfInvisibleCharactersIsEmpty(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", " ", "\u00a0\u3000", "\u200b", "\u200d\u2060", "\ufeff", "\u00ad", "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u180e",
		"\u061c\u200e", "\ufe0f", "\U000e0041", "\ufff9\ufffb", "\U0001d159", "\u200b \u2800",
	} {
		if _, message := Line(s, 1, 10); message == "" {
			t.Errorf("title %+q: got no error, want that it must not be empty", s)
		}
		if _, message := Line(s, 0, 10); message != "" {
			t.Errorf("a text that may be empty, %+q: got %q", s, message)
		}
	}
	for _, s := range []string{"a", "\u200ba\u200b", "❤\ufe0f", "👨\u200d👩", "\u0301", ".", "⠁", "\u0600"} {
		if got, message := Line(s, 1, 10); message != "" || got != s {
			t.Errorf("title %+q: got %+q %q, want it unchanged", s, got, message)
		}
	}
}

func TestADescriptionTakesEveryEndOfALine(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u2028", "\u2029"} {
		var p problems
		if got := text(&p, "description", "a"+end+"b\t", 10); got != "a\nb\t" || len(p.list) != 0 {
			t.Errorf("a%+qb: got %+q %v, want a line feed", end, got, p.list)
		}
	}
	var p problems
	if got := text(&p, "description", "a\r\r\n\n\rb", 10); got != "a\n\n\n\nb" {
		t.Errorf("several ends: got %+q", got)
	}
	for _, bad := range []string{"a\x1bb", "a\x00b", "a\u0084b"} {
		var p problems
		if text(&p, "description", bad, 10); len(p.list) != 1 {
			t.Errorf("%+q: got no error", bad)
		}
	}
}

func TestTagsDifferByMoreThanCase(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ tags, want []string }{
		{[]string{"Work", "work", "WORK"}, []string{"Work"}},
		{[]string{"Straße", "STRASSE", "straẞe"}, []string{"Straße"}},
		{[]string{"οδος", "ΟΔΟΣ", "οδοσ"}, []string{"οδος"}},
		{[]string{"ﬁ", "FI"}, []string{"ﬁ"}},
		{[]string{"Å", "a\u030a"}, []string{"Å"}},
		{[]string{"Łódź", "lodz"}, []string{"Łódź", "lodz"}},
		{[]string{"ı", "i"}, []string{"ı", "i"}},
	} {
		var p problems
		if got := tags(&p, tc.tags); !slices.Equal(got, tc.want) || len(p.list) != 0 {
			t.Errorf("tags(%q): got %q %v, want %q", tc.tags, got, p.list, tc.want)
		}
	}
}
