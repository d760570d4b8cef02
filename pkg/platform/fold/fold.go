// Package fold decides which texts are equal: two spellings of a tag, and a word of a search and a word of a task. Every
// service and every version of its database has the same answer, because no database folds a text.
//
// Promises:
//
//   - The functions depend on their arguments only: on no locale and no setting.
//   - Folding a folded text changes nothing. Canonically equal texts are equal after it.
//   - The tables are of one version of Unicode. When it changes, stored words have to be made again (docs/adr/0028).
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Tag returns the form that all spellings of a tag share: full case folding of canonically equal texts (Unicode,
// section 3.13, D145). Accents make two tags.
func Tag(tag string) string {
	if isASCII(tag) {
		return strings.ToLower(tag)
	}
	return norm.NFC.String(foldCase(norm.NFD.String(tag)))
}

// searchForm returns the form in which a text is searched: compatibility forms are replaced (NFKC), letters are folded by
// full case folding, and marks, strokes and characters that show nothing are taken out.
func searchForm(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(ignorable, r) && r != zeroWidthSpace || isAccent(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(foldCase(norm.NFKD.String(s))))
	return norm.NFKC.String(plainLetters(bare))
}

// foldCase returns the full case folding of s (CaseFolding.txt of Unicode, the statuses C and F). The letters of Cherokee
// fold to upper case. cases.Fold exchanges their cases instead.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 0xab70 <= r && r <= 0xabbf:
			return r - 0xab70 + 0x13a0
		case 0x13f8 <= r && r <= 0x13fd:
			return r - 8
		}
		return r
	}, cases.Fold().String(s))
}

// zeroWidthSpace is ignorable, but it marks where a word ends.
const zeroWidthSpace = '\u200b'

// The canonical combining classes of marks that are part of a letter: vowel signs, nuktas, the voicing marks of Kana, and
// viramas (Unicode, section 4.3). The class 1 of overlays and all classes above 9 are placed on a letter.
const classOverlay, classVirama = 1, 9

// isAccent reports whether r is a mark that a search ignores.
func isAccent(r rune) bool {
	if unicode.Is(unicode.Me, r) {
		return true
	}
	if !unicode.Is(unicode.Mn, r) {
		return false
	}
	var b [utf8.UTFMax]byte
	class := norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
	return class == classOverlay || class > classVirama
}

// plain has letters that do not decompose, although people type them without their stroke, hook or ligature. Each line has
// the typed form, and then its letters in lower case. It has every Latin letter that Unicode names "SMALL LETTER x WITH …".
const plain = `a ᶏⱥ
aa ꜳ
ae æ
ao ꜵ
au ꜷ
av ꜹꜻ
ay ꜽ
b ƀƃɓᵬᶀꞗ
c ƈȼɕꞓꞔ𝼝
d ðđƌȡɖɗᵭᶁᶑꟈ𝼥
e ɇᶒⱸꬴ
f ƒᵮᶂꞙ
g ǥɠᶃꞡ
h ħɦⱨꞕ
hv ƕ
i ıɨᶖ𝼚
j ȷɉɟʄʝ
k ƙᶄⱪꝁꝃꝅꞣ
l łƚȴɫɬɭᶅⱡꝉꞎꬷꬸꬹ𝼑𝼓𝼦
m ɱᵯᶆꬺ
n ŋƞȵɲɳᵰᶇꞑꞥꬻ𝼧
o øⱺꝋꝍ𝼛
oe œ
oo ꝏ
ou ȣ
p ƥᵱᵽᶈꝑꝓꝕ
q ɋʠꝗꝙ
r ɍɼɽɾᵲᵳᶉꞧꭉ𝼖𝼨
s ȿʂᵴᶊꞩꟊ𝼞𝼩
t ŧƫƭȶʈᵵⱦ𝼉𝼪
th þᵺ
tz ꜩ
u ʉᵾᶙꞹꭎꭒ
ue ᵫ
v ʋᶌⱱⱴꝟ
vy ꝡ
w ⱳ
x ᶍꭖꭗꭘꭙ
y ƴɏỿꭚ
z ƶȥɀʐʑᵶᶎⱬ`

var plainOf = func() map[rune]string {
	out := map[rune]string{}
	for line := range strings.Lines(plain) {
		typed, letters, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, r := range letters {
			out[r] = typed
		}
	}
	return out
}()

// plainLetters replaces the letters of plain.
func plainLetters(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf && plainOf[r] != "" }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if typed, ok := plainOf[r]; ok {
			b.WriteString(typed)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
