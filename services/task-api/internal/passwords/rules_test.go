package passwords

import (
	"strings"
	"testing"
)

var ada = Owner{Email: "ada.byron@engine.example", Name: "Ada Lovelace"}

func TestAPredictablePasswordIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	const (
		short    = "must have at least 8 characters"
		long     = "must have at most 256 characters"
		blank    = "must not be blank: it needs characters that are visible"
		control  = "must not have control characters"
		few      = "must have at least 4 different characters"
		sequence = "is too easy to guess: it is a sequence, a repetition or a date"
		common   = "is one of the most common passwords, or one with a small change"
		own      = "must not be the e-mail address or the name"
	)
	for password, want := range map[string]string{
		"":                             blank,
		"1234567":                      short,
		"abcd\u200b\u200b\u200b\u200b": short,
		"        ":                     blank,
		strings.Repeat("\u200b", 8):    blank,
		"\u3000\u2003\u00a0\u2800\u200b\u200c\u200d\ufeff": blank,
		"tab\tbetween words":               control,
		strings.Repeat("a b c", 100_000):   long,
		strings.Repeat("aé¢ Z", 51) + "12": long,
		"aaaaaaaa":                         few,
		"abababab":                         few,
		"abcabcabc":                        few,
		"00001111":                         few,
		"a       ":                         few,
		"12345678":                         sequence,
		"hgfedcba":                         sequence,
		"αβγδεζηθ":                         sequence,
		"19841984":                         sequence,
		"qwerqwer":                         sequence,
		"pass pass pass ":                  sequence,
		"31121999":                         sequence,
		"19991231":                         sequence,
		"password":                         common,
		"qwertyuiop":                       common,
		"PassWord":                         common,
		"P@ssw0rd":                         common,
		"p@$$w0rd":                         common,
		"Password1!":                       common,
		"!!password":                       common,
		"monkey2026":                       common,
		"ｐａｓｓｗｏｒｄ":                         common,
		"drowssap":                         common,
		"poiuytrewq":                       common,
		"TaskWire1":                        common,
		"Ada.Byron@Engine.example":         own,
		"ada.byron":                        own,
		"AdaLovelace":                      own,
		"ada lovelace":                     own,
		"lovelace99":                       own,
		"engine.example":                   own,
	} {
		if got := Problem(password, ada); got != want {
			t.Errorf("Problem(%q): got %q, want %q", password, got, want)
		}
	}
}

func TestAGoodPasswordIsAccepted(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"correct horse", "battery staple", "Motörhead rules", "Moto\u0308rhead rules", "8 of kind", "x7#Kq2!m", "Пароль от дома", "我的密碼很安全喔",
		"👩‍👩‍👧 at the lake", strings.Repeat("ab cd", 50) + "e", strings.Repeat("u\u0308 x\u0323\u0302 ", 36) + "end", "monkey20261", "ada lovelace wrote notes",
		strings.Repeat("0123456789abcdef", 15) + "0123456789abcdeX",
	} {
		if got := Problem(password, ada); got != "" {
			t.Errorf("Problem(%q): got %q, want no problem", password, got)
		}
	}
}

func TestTheListHasTheCommonestPasswords(t *testing.T) {
	t.Parallel()
	long := 0
	for p := range common() {
		if p != strings.ToLower(p) || strings.TrimSpace(p) != p {
			t.Errorf("%q: want it in lower case and without blanks around it", p)
		}
		if len([]rune(p)) >= Min {
			long++
			if Problem(p, Owner{}) == "" {
				t.Errorf("Problem(%q): got none, want a refusal of a listed password", p)
			}
		}
	}
	if long != 10_000 {
		t.Errorf("got %d listed passwords of %d characters and more, want 10000", long, Min)
	}
}

func TestTheSamePasswordFromAnotherKeyboard(t *testing.T) {
	t.Parallel()
	if !Same("Mot\u00f6rhead", "Moto\u0308rhead") || Same("motorhead", "Motorhead") {
		t.Error("Same: want equality in NFC, with the case")
	}
}

func FuzzProblem(f *testing.F) {
	f.Add("password", "ada@example.com", "Ada")
	f.Add("\u200b\xff", "@", " ")
	f.Fuzz(func(t *testing.T, password, email, name string) {
		Problem(password, Owner{Email: email, Name: name})
	})
}
