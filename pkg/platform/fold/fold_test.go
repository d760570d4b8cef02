package fold

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/runenames"
)

func TestSearchIgnoresCaseAccentsAndStrokes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text    string
		queries []string
	}{
		{"Straße fegen", []string{"strasse", "STRASSE", "straße", "STRAẞE"}},
		{"STRASSE 5", []string{"straße"}},
		{"Łódź trip", []string{"lodz", "łodz", "ŁÓDŹ"}},
		{"smørrebrød", []string{"smorrebrod", "SMØRREBRØD"}},
		{"Đà Nẵng", []string{"da nang", "ĐÀ NẴNG"}},
		{"ΟΔΟΣ 7", []string{"οδος", "οδοσ"}},
		{"Οδός Ερμού", []string{"ΟΔΟΣ", "ΟΔΌΣ", "οδος"}},
		{"ᾳσμα", []string{"ΑΙΣΜΑ", "ᾼσμα"}},
		{"ılık su", []string{"ilik", "ILIK"}},
		{"İstanbul", []string{"istanbul", "ISTANBUL"}},
		{"Ægir", []string{"aegir", "AEGIR", "ægir"}},
		{"Þór", []string{"thor", "ÞÓR"}},
		{"Guðrún", []string{"gudrun"}},
		{"œuvre", []string{"oeuvre", "OEUVRE"}},
		{"ħobż", []string{"hobz", "ĦOBŻ"}},
		{"ŋ ŧ", []string{"n t"}},
		{"שִׁיר", []string{"שיר"}},
		{"مَدْرَسَة", []string{"مدرسة"}},
		{"crème brûlée", []string{"creme brulee", "cre\u0300me"}},
		{"Ёлка", []string{"елка"}},
		{"ﬁnal ①", []string{"final 1"}},
		{"Ｆｕｌｌ", []string{"full"}},
		{"soft\u00adhyphen", []string{"softhyphen"}},
		{"word\u2060joiner", []string{"wordjoiner"}},
		{"می\u200cخواهم", []string{"میخواهم"}},
		{"\ufefffirst", []string{"first"}},
		{"zero\u200bwidth", []string{"zero", "width"}},
		{"price $9", []string{"$", "$9", "9"}},
		{"a + b < 5€ → c", []string{"+", "<", "€", "→", "5"}},
		{"C++ `code` x^2 | ~y ©", []string{"c++", "`", "^", "|", "~", "©"}},
		{"👍🏽 👨\u200d👩\u200d👧 ❤\ufe0f", []string{"👍", "👧", "❤"}},
		{"1\ufe0f\u20e3", []string{"1"}},
		{"買い物", []string{"物"}},
	} {
		for _, q := range tc.queries {
			for _, w := range Distinct(q) {
				if !slices.ContainsFunc(Words(tc.text), func(x string) bool { return strings.HasPrefix(x, w) }) {
					t.Errorf("text %q has the words %q, want one that begins with %q of q=%s", tc.text, Words(tc.text), w, q)
				}
			}
		}
	}
	if got := Words("zero\u200bwidth don't a_b 1,5"); !slices.Equal(got, []string{"zero", "width", "don", "t", "a", "b", "1", "5"}) {
		t.Errorf("words: got %q", got)
	}
	if got := Distinct("== a =="); !slices.Equal(got, []string{"=", "a"}) {
		t.Errorf("different words: got %q", got)
	}
}

// Letters of one script that differ by more than an accent stay different.
func TestSearchKeepsLettersApart(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"か", "が"}, {"ハ", "パ"}, {"कि", "कु"}, {"ज", "ज़"}, {"o", "0"}, {"ɔ", "o"}, {"г", "ґ"}} {
		if slices.Equal(Words(pair[0]), Words(pair[1])) {
			t.Errorf("%s and %s: got the same word %q, want different words", pair[0], pair[1], Words(pair[0]))
		}
	}
}

// Each rune of Unicode: folding twice changes nothing, and the rune, its normal forms and its cases fold to the same text.
func TestFoldingIsStableForAllOfUnicode(t *testing.T) {
	if testing.Short() {
		t.Skip("folds every rune of Unicode in several forms")
	}
	t.Parallel()
	for r := range unicode.MaxRune + 1 {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		s := string(r)
		for name, fold := range map[string]func(string) string{"searchForm": searchForm, "Tag": Tag} {
			once := fold(s)
			if again := fold(once); again != once {
				t.Errorf("%s(%U): got %+q, and folded again %+q", name, r, once, again)
			}
			if full := fold(foldCase(s)); full != once {
				t.Errorf("%s(%U): got %+q, want that of its full case folding, %+q", name, r, once, full)
			}
			for _, r := range []rune{unicode.ToUpper(r), unicode.ToTitle(r)} {
				if got := fold(string(r)); got != once && unicode.ToLower(r) == []rune(s)[0] {
					t.Errorf("%s of the upper case of %+q, %U: got %+q, want %+q", name, s, r, got, once)
				}
			}
			for _, form := range []norm.Form{norm.NFC, norm.NFD} {
				if got := fold(form.String(s)); got != once {
					t.Errorf("%s of %U normalised: got %+q, want %+q", name, r, got, once)
				}
			}
		}
	}
}

// The table of plain letters is complete: Unicode names them. runenames is too large for the service itself.
func TestEveryLatinLetterWithAStrokeIsPlain(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^LATIN SMALL LETTER (?:DOTLESS )?([A-Z]) ?(?:WITH .*)?$|^LATIN SMALL LETTER ([A-Z]) BAR$`)
	checked := 0
	for r := range unicode.MaxRune + 1 {
		m := name.FindStringSubmatch(runenames.Name(r))
		if m == nil || r == 'ŀ' || r == 'ẚ' { // these two are compatibility forms of two characters
			continue
		}
		checked++
		if got, want := searchForm(string(r)), strings.ToLower(m[1]+m[2]); got != want {
			t.Errorf("%U %s: got %q, want %q", r, runenames.Name(r), got, want)
		}
	}
	if checked < 400 {
		t.Errorf("checked %d letters, want all of them", checked)
	}
}
