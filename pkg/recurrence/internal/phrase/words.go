package phrase

import (
	"strings"
)

// Unit is a unit of time.
type Unit int

// The units.
const (
	Hours Unit = iota
	Days
	Weeks
	Months
	Quarters
	Years
)

// kind is what a word does in a phrase.
type kind int

const (
	every      kind = iota + 1
	other           // every other week
	unit            // day, weeks
	adverb          // daily; n indexes adverbs
	weekday         // monday
	plural          // mondays, which alone means every Monday
	workday         // weekday, workday
	workdays        // weekdays, which alone means every one
	weekend         // weekend; n is the number of its days that count
	weekends        // weekends, which alone means every one
	month           // january
	ordinal         // first, last (-1)
	number          // two
	one             // a, as in "in a week"
	filler          // on, the: without a meaning of its own
	and             // joins days
	to              // monday to friday; also the end of "from … to …"
	at              // before a time of day
	starting        // before the first day
	until           // before the last day
	during          // for 3 weeks
	times           // 10 times
	relative        // today (0), tomorrow (1), yesterday (-1)
	next            // next week
	this            // this weekend
	in              // in 3 days
	ago             // 3 days ago
	after           // after 10 days: the same as every! 10 days
	clockWord       // noon; n is minutes since midnight
	dayPart         // morning; n is minutes since midnight
	noDate          // no date
	monthEnd        // end of month
	middle          // mid january
	oclock          // o'clock
	beforeNoon      // am
	afterNoon       // pm
	ofMonth         // of the month
)

// meaning is one meaning of a word.
type meaning struct {
	kind kind
	n    int
}

// adverbs are the frequencies that have a word of their own.
var adverbs = []struct {
	frequency Frequency
	interval  int
}{{Daily, 1}, {Weekly, 1}, {Weekly, 2}, {Monthly, 1}, {Monthly, 3}, {Yearly, 1}}

const (
	noonMinutes = 12 * 60
	// The times of Todoist's parts of the day.
	morningMinutes, afternoonMinutes, eveningMinutes, nightMinutes = 9 * 60, 12 * 60, 19 * 60, 22 * 60
)

// names are the meanings that the tables of the languages name.
var names = map[string]meaning{
	"every": {every, 0}, "other": {other, 2}, "and": {and, 0}, "to": {to, 0}, "at": {at, 0}, "filler": {filler, 0},
	"hour": {unit, int(Hours)}, "day": {unit, int(Days)}, "week": {unit, int(Weeks)}, "month": {unit, int(Months)}, "quarter": {unit, int(Quarters)}, "year": {unit, int(Years)},
	"daily": {adverb, 0}, "weekly": {adverb, 1}, "fortnightly": {adverb, 2}, "monthly": {adverb, 3}, "quarterly": {adverb, 4}, "yearly": {adverb, 5},
	"sunday": {weekday, 0}, "monday": {weekday, 1}, "tuesday": {weekday, 2}, "wednesday": {weekday, 3}, "thursday": {weekday, 4}, "friday": {weekday, 5}, "saturday": {weekday, 6},
	"sundays": {plural, 0}, "mondays": {plural, 1}, "tuesdays": {plural, 2}, "wednesdays": {plural, 3}, "thursdays": {plural, 4}, "fridays": {plural, 5}, "saturdays": {plural, 6},
	"workday": {workday, 0}, "workdays": {workdays, 0}, "weekend": {weekend, 1}, "weekends": {weekends, 2},
	"january": {month, 1}, "february": {month, 2}, "march": {month, 3}, "april": {month, 4}, "may": {month, 5}, "june": {month, 6},
	"july": {month, 7}, "august": {month, 8}, "september": {month, 9}, "october": {month, 10}, "november": {month, 11}, "december": {month, 12},
	"first": {ordinal, 1}, "second": {ordinal, 2}, "third": {ordinal, 3}, "fourth": {ordinal, 4}, "fifth": {ordinal, 5}, "last": {ordinal, -1},
	"one": {one, 1}, "two": {number, 2}, "three": {number, 3}, "four": {number, 4}, "five": {number, 5}, "six": {number, 6}, "seven": {number, 7}, "eight": {number, 8}, "nine": {number, 9}, "ten": {number, 10}, "twelve": {number, 12},
	"starting": {starting, 0}, "until": {until, 0}, "during": {during, 0}, "times": {times, 0},
	"today": {relative, 0}, "tomorrow": {relative, 1}, "overmorrow": {relative, 2}, "yesterday": {relative, -1},
	"next": {next, 0}, "this": {this, 0}, "in": {in, 0}, "ago": {ago, 0}, "after": {after, 0},
	"noon": {clockWord, noonMinutes}, "midnight": {clockWord, 0},
	"morning": {dayPart, morningMinutes}, "afternoon": {dayPart, afternoonMinutes}, "evening": {dayPart, eveningMinutes}, "night": {dayPart, nightMinutes},
	"no date": {noDate, 0}, "month end": {monthEnd, 0}, "middle": {middle, 0}, "o'clock": {oclock, 0}, "am": {beforeNoon, 0}, "pm": {afterNoon, 0}, "of month": {ofMonth, 0},
}

// lexicon has the meanings of the words of a language, folded. Some of its keys are several words with a blank between them.
type lexicon map[string][]meaning

// longest is the number of words of the longest key of a lexicon ("end of the month").
const longest = 4

// newLexicon reads a table with lines of the form "name: word, several words".
func newLexicon(table string) lexicon {
	l := lexicon{}
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		name, words, _ := strings.Cut(strings.TrimSpace(line), ":")
		m, ok := names[name]
		if !ok {
			panic("phrase: a table has the unknown name " + name)
		}
		for word := range strings.SplitSeq(words, ",") {
			word = fold(strings.TrimSpace(word))
			l[word] = append(l[word], m)
			if m.kind == plural {
				l[word] = append(l[word], meaning{weekday, m.n})
			}
		}
	}
	return l
}

// explain gives the tokens their meanings. Words that have a meaning together become one token. A word with a hyphen that has no
// meaning becomes several tokens.
func (l lexicon) explain(tokens []token) (out []token) {
	for i := 0; i < len(tokens); {
		n := min(longest, len(tokens)-i)
		for ; n > 0; n-- {
			if together, ok := l.together(tokens[i : i+n]); ok {
				out = append(out, together)
				break
			}
		}
		if n > 0 {
			i += n
			continue
		}
		t := tokens[i]
		if before, rest, ok := strings.Cut(t.raw, "-"); ok && t.isWord() && before != "" && rest != "" {
			out = append(out, l.explain([]token{figures(before)})...)
			out = append(out, token{raw: "-", sign: '-'})
			out = append(out, l.explain([]token{figures(rest)})...)
		} else {
			out = append(out, t)
		}
		i++
	}
	return out
}

func (t token) isWord() bool { return t.sign == 0 && !t.number && t.date == nil && t.clock == nil }

// together returns the token of some words that have a meaning together.
func (l lexicon) together(tokens []token) (token, bool) {
	var words, raws []string
	for _, t := range tokens {
		if !t.isWord() {
			return token{}, false
		}
		words, raws = append(words, t.word), append(raws, t.raw)
	}
	means, ok := l[strings.Join(words, " ")]
	return token{raw: strings.Join(raws, " "), word: strings.Join(words, " "), means: means}, ok
}
