package passwords

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/platform/fold"
	"golang.org/x/text/unicode/norm"
)

const (
	// Min is the least length in characters. Eight characters that are not on the list resist guesses over the network: see
	// the limits of log-ins.
	Min = 8
	// Max is the largest length in characters. Every passphrase fits, and its length does not add to the cost of the hash.
	Max = 256
	// composed is the most characters that NFC makes one of (UAX 15, 9.1).
	composed = 3
	// minDifferent refuses "aaaaaaaa", "abababab" and "abcabcabc".
	minDifferent = 4
	// maxAffix is the number of digits and signs around a common password that do not make it another one: "123!" and "2026"
	// fit. Programs that guess try such additions first.
	maxAffix = 4
)

// service is the name of the service. NIST SP 800-63B-4 asks for it as a word that guesses begin with.
const service = "taskwire"

// Owner is what others know about the user of a password.
type Owner struct{ Email, Name string }

// Problem returns why the text cannot become the password of the owner, or "".
func Problem(password string, owner Owner) string {
	tooLong := fmt.Sprintf("must have at most %d characters", Max)
	if utf8.RuneCountInString(password) > composed*Max { // before any work that depends on the length
		return tooLong
	}
	password = norm.NFC.String(password)
	if strings.IndexFunc(password, unicode.IsControl) >= 0 {
		return "must not have control characters"
	}
	if !fold.Visible(password) {
		return "must not be blank: it needs characters that are visible"
	}
	switch n := length(password); {
	case n < Min:
		return fmt.Sprintf("must have at least %d characters", Min)
	case utf8.RuneCountInString(password) > Max:
		return tooLong
	}
	return predictable(strings.ToLower(norm.NFKC.String(password)), owner)
}

// Same reports whether two texts are the same password.
func Same(a, b string) bool { return norm.NFC.String(a) == norm.NFC.String(b) }

// length counts the characters without those that cannot be seen, such as a zero-width space. A blank counts.
func length(s string) (n int) {
	for _, r := range s {
		if fold.Visible(string(r)) || unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// predictable returns why a guess would come early to the text, or "".
func predictable(s string, owner Owner) string {
	if different(s) < minDifferent {
		return fmt.Sprintf("must have at least %d different characters", minDifferent)
	}
	if steps(s) || repeats(s) || date(s) {
		return "is too easy to guess: it is a sequence, a repetition or a date"
	}
	spellings := variants(s)
	for _, known := range owner.words() {
		for _, v := range spellings {
			if v == known {
				return "must not be the e-mail address or the name"
			}
		}
	}
	for _, v := range spellings {
		if v == service || common()[v] {
			return "is one of the most common passwords, or one with a small change"
		}
	}
	return ""
}

// words returns the texts that the owner's password must not be.
func (o Owner) words() (words []string) {
	email := strings.ToLower(norm.NFKC.String(o.Email))
	local, domain, _ := strings.Cut(email, "@")
	host, _, _ := strings.Cut(domain, ".")
	name := strings.ToLower(norm.NFKC.String(o.Name))
	for _, w := range append([]string{email, local, domain, host, name, strings.Join(strings.Fields(name), "")}, strings.Fields(name)...) {
		if w != "" {
			words = append(words, w)
		}
	}
	return words
}

// variants returns the text and what it is a trivial variation of: without signs and digits around it, with letters for the
// digits and signs that look like them, and backwards.
func variants(s string) []string {
	seen := map[string]bool{}
	var list []string
	add := func(v string) {
		if v != "" && !seen[v] {
			seen[v], list = true, append(list, v)
		}
	}
	for _, v := range []string{s, unleet(s), backwards(s)} {
		for _, w := range trimmed(v) {
			add(w)
			add(unleet(w))
		}
	}
	return list
}

// trimmed returns the text without 0 to maxAffix digits and signs, taken from its ends.
func trimmed(s string) []string {
	r := []rune(s)
	var list []string
	for front := 0; front <= maxAffix && affix(r, 0, front); front++ {
		for back := 0; front+back <= maxAffix && front+back < len(r) && affix(r, len(r)-back, len(r)); back++ {
			list = append(list, string(r[front:len(r)-back]))
		}
	}
	return list
}

// affix reports whether the part of r is within r and has only digits, signs and blanks.
func affix(r []rune, from, to int) bool {
	if from < 0 || to > len(r) {
		return false
	}
	for _, c := range r[from:to] {
		if unicode.IsLetter(c) || unicode.IsMark(c) {
			return false
		}
	}
	return true
}

// letters replaces the digits and signs that are often written for letters.
var letters = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "5", "s", "$", "s", "7", "t", "+", "t")

func unleet(s string) string { return letters.Replace(s) }

func backwards(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

func different(s string) int {
	set := map[rune]bool{}
	for _, r := range s {
		if fold.Visible(string(r)) || unicode.IsSpace(r) {
			set[r] = true
		}
	}
	return len(set)
}

// steps reports whether each character is the next one, or each is the one before: "abcdefgh", "87654321".
func steps(s string) bool {
	r := []rune(s)
	if len(r) < 2 {
		return false
	}
	step := r[1] - r[0]
	for i := 1; i < len(r); i++ {
		if r[i]-r[i-1] != step {
			return false
		}
	}
	return step == 1 || step == -1
}

// repeats reports whether the text is a shorter text, below the least length of a password, written several times.
func repeats(s string) bool {
	r := []rune(s)
	for n := 1; n < Min && 2*n <= len(r); n++ {
		if len(r)%n == 0 && strings.Repeat(string(r[:n]), len(r)/n) == s {
			return true
		}
	}
	return false
}

// date reports whether the text is a date in digits alone.
func date(s string) bool {
	for _, layout := range []string{"02012006", "01022006", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
			return true
		}
	}
	return false
}
