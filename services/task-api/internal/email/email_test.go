package email

import (
	"strings"
	"testing"
)

func TestSpellingsOfOneAddressHaveOneForm(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"ada@example.com":     {" ADA@Example.COM\n", "ada@example.com", "ada@ｅｘａｍｐｌｅ.com", "ada@example。com"},
		"josé@example.com":    {"jos\u00e9@example.com", "jose\u0301@example.com", "JOSE\u0301@EXAMPLE.COM"},
		"user@bücher.example": {"user@bu\u0308cher.example", "user@xn--bcher-kva.example", "User@BÜCHER.example", "user@XN--BCHER-KVA.example"},
		"νικοσ@example.gr":    {"νικος@example.gr", "ΝΙΚΟΣ@example.gr"},
		"straße@example.com":  {"straße@example.com", "STRAẞE@example.com"},
		"strasse@example.com": {"strasse@example.com"},
		"a.b+tag@example.com": {"a.b+tag@example.com"},
		"ab+tag@example.com":  {"ab+tag@example.com"},
	} {
		for _, s := range spellings {
			if got, problem := Canonical(s); got != want || problem != "" {
				t.Errorf("Canonical(%q): got %q %q, want %q", s, got, problem, want)
			}
		}
	}
}

func TestAnAddressInOneScriptIsAccepted(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"o'brien_1/x=y@sub.example.co.uk", "иван.петров@почта.рф", "иван@example.com", "Ιωάννης@example.gr", "王小明@例え.jp", "たなかカナ@example.jp",
		"김철수@example.kr", "महेश@example.in", "דוד@example.co.il", "محمد@example.com", "zoë@example.com", "nguyễn@example.vn", "łukasz@example.pl",
		"сор@почта.рф", strings.Repeat("a", 64) + "@example.com", "a@" + strings.Repeat(strings.Repeat("b", 60)+".", 4)[:244] + "c.example"[:8],
	} {
		if got, problem := Canonical(s); problem != "" {
			t.Errorf("Canonical(%q): got %q %q, want it accepted", s, got, problem)
		}
	}
}

func TestAnAddressThatMisleadsIsRefused(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                                       notAnAddress,
		"ada":                                    notAnAddress,
		"@example.com":                           notAnAddress,
		"a@":                                     badDomain,
		"a@b@example.com":                        notAnAddress,
		"a b@example.com":                        notAnAddress,
		"Ada <a@example.com>":                    notAnAddress,
		"a..b@example.com":                       notAnAddress,
		"a\xff@example.com":                      notAnAddress,
		strings.Repeat("a", 65) + "@example.com": notAnAddress,
		"a@" + strings.Repeat("bcd.", 64) + "com": badDomain,
		"a@-example.com":            badDomain,
		"a@example..com":            badDomain,
		"a@example.com.":            badDomain,
		"a@exa_mple.com":            badDomain,
		"a@xn--zzzzzz.com":          badDomain,
		"a\x00@example.com":         invisible,
		"ada\u200b@example.com":     invisible,
		"ada@exam\u200dple.com":     invisible,
		"\u202eada@example.com":     invisible,
		"a\u2066da@example.com":     invisible,
		"a\u00adda@example.com":     invisible,
		"ada\u3164@example.com":     invisible,
		"ada\ufe0f@example.com":     invisible,
		"ada\U000e0041@example.com": invisible,
		"a\u00a0da@example.com":     invisible,
		"\u0430da@example.com":      lookalike, // a Cyrillic a
		"аԁа@example.com":           lookalike, // Cyrillic alone, and it looks Latin
		"ada@ехаmple.com":           lookalike,
		"ada@хсо.com":               lookalike,
		"ada@xn--80ak6aa92e.com":    lookalike, // "apple" in Cyrillic
		"ａda@example.com":           lookalike,
		"ɑda@example.com":           lookalike,
		"adı@example.com":           lookalike,
		"ad\u0130@example.com":      lookalike, // İ, which becomes i and a dot in lower case
		"x\u0335ada@example.com":    lookalike,
		"ⅰ@example.com":             lookalike,
		"ada１@example.com":          lookalike,
		"ada٣@example.com":          lookalike,
		"🦄@example.com":             lookalike,
		"νiκος@example.com":         lookalike,
	} {
		if got, problem := Canonical(s); problem != want || got != "" {
			t.Errorf("Canonical(%q): got %q %q, want %q", s, got, problem, want)
		}
	}
}

func TestTheFormForMailServersHasAnASCIIDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"иван@почта.рф": "иван@xn--80a1acny.xn--p1ai", "a@example.com": "a@example.com", "none": "none"} {
		if got := ASCII(in); got != want {
			t.Errorf("ASCII(%q): got %q, want %q", in, got, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("ada@example.com")
	f.Add("иван@почта.рф")
	f.Add("a@xn--bcher-kva.example")
	f.Fuzz(func(t *testing.T, s string) {
		once, problem := Canonical(s)
		if problem != "" {
			return
		}
		if again, problem := Canonical(once); again != once || problem != "" {
			t.Errorf("Canonical(%q): got %q, whose own form is %q %q", s, once, again, problem)
		}
		if again, problem := Canonical(ASCII(once)); again != once || problem != "" {
			t.Errorf("Canonical(ASCII(%q)): got %q %q", once, again, problem)
		}
	})
}
