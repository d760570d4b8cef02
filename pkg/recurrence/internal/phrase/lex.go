package phrase

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// token is a piece of a text: a word, a number, a date, a time of day or a sign.
type token struct {
	raw     string // as it stands in the text
	word    string // folded; empty for a sign
	sign    rune   // one of signs, or 0
	n       int    // of a number
	ordinal bool   // 3rd, 3., 3e
	number  bool
	date    *written
	clock   *clockText
	means   []meaning
}

// written is a date in figures.
type written struct {
	year, first, second int // year is 0 if there is none
	separator           string
	yearFirst           bool
	time                string // what follows a T: 18:00:00Z
}

// clockText is a time of day in figures.
type clockText struct {
	hour, minute, second int
	half                 string // "am", "pm" or empty
	dotted               bool   // 9.30, which is a time only next to a word that says so
}

// signs are the characters that are tokens of their own.
const signs = ",;&!@+，、"

var (
	isoPattern    = regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})[-/.](\d{1,2})(?:t(.+))?$`)
	datePattern   = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})$`)
	yearless      = regexp.MustCompile(`^(\d{1,2})(/)(\d{1,2})$|^(\d{1,2})(\.)(\d{1,2})\.$`)
	clockPattern  = regexp.MustCompile(`^(\d{1,2})([:h.])(\d{2})(?::(\d{2}))?(a\.?m\.?|p\.?m\.?|h)?$`)
	hourPattern   = regexp.MustCompile(`^(\d{1,2})(a\.?m\.?|p\.?m\.?|h)$`)
	numberPattern = regexp.MustCompile(`^(\d{1,4})(\.|st|nd|rd|th|er|ere|e|eme|de|ste|o|a|º|ª|°)?$`)
	sameMark      = strings.NewReplacer("–", "-", "—", "-", "’", "'", "ʼ", "'")
)

// lex cuts a text into tokens. It gives the words no meaning.
func lex(text string) (tokens []token) {
	word := func(from, to int) {
		if from < to {
			tokens = append(tokens, figures(text[from:to]))
		}
	}
	text = sameMark.Replace(text)
	from := 0
	for i, r := range text {
		switch {
		case unicode.IsSpace(r):
			word(from, i)
			from = i + len(string(r))
		case strings.ContainsRune(signs, r) && (r != '+' && r != '@' || from == i): // a sign within 18:00+05:00 is part of it
			word(from, i)
			from = i + len(string(r))
			tokens = append(tokens, token{raw: string(r), sign: sameSign(r)})
		}
	}
	word(from, len(text))
	return tokens
}

func sameSign(r rune) rune {
	switch r {
	case ';', '，', '、':
		return ','
	}
	return r
}

// figures recognises what a piece without blanks says in figures. Everything else is a word.
func figures(raw string) token {
	t := token{raw: raw, word: fold(raw)}
	if m := isoPattern.FindStringSubmatch(t.word); m != nil {
		t.date = &written{year: atoi(m[1]), first: atoi(m[3]), second: atoi(m[4]), separator: m[2], yearFirst: true, time: m[5]}
	} else if m := datePattern.FindStringSubmatch(t.word); m != nil {
		t.date = &written{year: atoi(m[4]), first: atoi(m[1]), second: atoi(m[3]), separator: m[2]}
	} else if m := yearless.FindStringSubmatch(t.word); m != nil {
		t.date = &written{first: atoi(m[1] + m[4]), second: atoi(m[3] + m[6]), separator: m[2] + m[5]}
	} else if m := clockPattern.FindStringSubmatch(t.word); m != nil {
		t.clock = &clockText{hour: atoi(m[1]), minute: atoi(m[3]), second: atoi(m[4]), half: half(m[5]), dotted: m[2] == "." && half(m[5]) == ""}
	} else if m := hourPattern.FindStringSubmatch(t.word); m != nil {
		t.clock = &clockText{hour: atoi(m[1]), half: half(m[2])}
	} else if m := numberPattern.FindStringSubmatch(t.word); m != nil {
		t.number, t.n, t.ordinal = true, atoi(m[1]), m[2] != ""
	} else {
		t.word = strings.TrimSuffix(t.word, ".")
	}
	return t
}

func half(suffix string) string {
	if suffix = strings.ReplaceAll(suffix, ".", ""); suffix != "am" && suffix != "pm" {
		return ""
	}
	return suffix
}

// atoi returns the number of a few digits, which a pattern has checked; 0 for an empty text.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

var plain = strings.NewReplacer("á", "a", "à", "a", "â", "a", "ä", "a", "ã", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ñ", "n", "ó", "o", "ò", "o", "ô", "o", "ö", "o", "õ", "o", "ø", "o", "ú", "u", "ù", "u",
	"û", "u", "ü", "u", "ß", "ss")

// fold returns a word in small letters and without accents, so that "Março" and "marco" are the same.
func fold(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && r <= 0x36f { // a combining accent
			return -1
		}
		return r
	}, plain.Replace(strings.ToLower(word)))
}
