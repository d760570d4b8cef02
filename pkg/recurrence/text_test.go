package recurrence

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// friday is 27 November 2026, 10:30 in Berlin.
var friday = time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)

func readText(t testing.TB, text, language string) (Phrase, error) {
	t.Helper()
	return ParseText(text, TextOptions{Zone: zone(t, "Europe/Berlin"), Now: friday, Language: language})
}

func TestParseTextGivesTheRuleOfAPhrase(t *testing.T) {
	for _, tc := range []struct{ text, rule, first string }{
		{"daily", "FREQ=DAILY", "2026-11-27"},
		{"weekly", "FREQ=WEEKLY", "2026-11-27"},
		{"fortnightly", "FREQ=WEEKLY;INTERVAL=2", "2026-11-27"},
		{"monthly", "FREQ=MONTHLY", "2026-11-27"},
		{"quarterly", "FREQ=MONTHLY;INTERVAL=3", "2026-11-27"},
		{"yearly", "FREQ=YEARLY", "2026-11-27"},
		{"weekdays", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-11-27"},
		{"weekends", "FREQ=WEEKLY;BYDAY=SA,SU", "2026-11-28"},
		{"mondays and thursdays", "FREQ=WEEKLY;BYDAY=MO,TH", "2026-11-30"},
		{"on mondays", "FREQ=WEEKLY;BYDAY=MO", "2026-11-30"},
		{"weekly on mon and thu", "FREQ=WEEKLY;BYDAY=MO,TH", "2026-11-30"},
		{"monthly on the last friday", "FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27"},
		{"monthly on the 15th", "FREQ=MONTHLY;BYMONTHDAY=15", "2026-12-15"},
		{"monthly on the 15th and the last day", "FREQ=MONTHLY;BYMONTHDAY=-1,15", "2026-11-30"},
		{"monthly on the 1st and 3rd friday", "FREQ=MONTHLY;BYDAY=1FR,3FR", "2026-12-04"},
		{"yearly on jan 27", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=27", "2027-01-27"},
		{"every 2 weeks on mon,thu", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2026-11-30"},
		{"every 2 weeks on thu & mon", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2026-11-30"},
		{"every two weeks", "FREQ=WEEKLY;INTERVAL=2", "2026-11-27"},
		{"every 3 months on the last workday", "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-11-30"},
		{"every 3rd friday", "FREQ=MONTHLY;BYDAY=3FR", "2026-12-18"},
		{"every fifth friday", "FREQ=MONTHLY;BYDAY=5FR", "2027-01-29"},
		{"every last friday of november", "FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR", "2026-11-27"},
		{"every 3rd day of the month", "FREQ=MONTHLY;BYMONTHDAY=3", "2026-12-03"},
		{"every third week", "FREQ=WEEKLY;INTERVAL=3", "2026-11-27"},
		{"every other tue", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", "2026-12-01"},
		{"every mon-fri", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-11-27"},
		{"every sat to mon", "FREQ=WEEKLY;BYDAY=MO,SA,SU", "2026-11-28"},
		{"every 1 and 15", "FREQ=MONTHLY;BYMONTHDAY=1,15", "2026-12-01"},
		{"every 1 jan, 15 jan", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1,15", "2027-01-01"},
		{"every jan 1, 15 and apr 1, 15", "FREQ=YEARLY;BYMONTH=1,4;BYMONTHDAY=1,15", "2027-01-01"},
		{"every 29 feb", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2028-02-29"},
		{"every month starting 2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2027-01-31"},
		{"every 2 months starting 30 jan 2027", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28,29,30;BYSETPOS=-1", "2027-01-30"},
		{"every month starting 2027-01-28", "FREQ=MONTHLY", "2027-01-28"},
		{"every! month starting 2027-01-31", "FREQ=MONTHLY", "2027-01-31"},
		{"every year starting 2028-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2028-02-29"},
		{"every other Tues 7am starting 1 Dec", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", "2026-12-01"},
		{"every mon starting 2027-01-06", "FREQ=WEEKLY;BYDAY=MO", "2027-01-11"},
		{"every mon starting 2026-01-05", "FREQ=WEEKLY;BYDAY=MO", "2026-11-30"},
		{"every 6 weeks starting 2026-01-01", "FREQ=WEEKLY;INTERVAL=6", "2026-12-03"},
		{"every 2 months starting 2025-01-31", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2026-11-30"},
		{"every 27 starting 2020-01-01", "FREQ=MONTHLY;BYMONTHDAY=27", "2026-11-27"},
		{"every 3 days starting 1900-01-01", "FREQ=DAILY;INTERVAL=3", "2026-11-29"},
		{"every 4 years starting 2000-05-05", "FREQ=YEARLY;INTERVAL=4", "2028-05-05"},
		{"every 2 years on 5 may starting 2001-05-05", "FREQ=YEARLY;INTERVAL=2;BYMONTH=5;BYMONTHDAY=5", "2027-05-05"},
		{"every day for 3 weeks", "FREQ=DAILY;UNTIL=20261217", "2026-11-27"},
		{"every day 10 times", "FREQ=DAILY;COUNT=10", "2026-11-27"},
		{"every day for 10 times", "FREQ=DAILY;COUNT=10", "2026-11-27"},
		{"every day from 10 may to 20 may", "FREQ=DAILY;UNTIL=20270520", "2027-05-10"},
		{"every day until tomorrow", "FREQ=DAILY;UNTIL=20261128", "2026-11-27"},
		{"every 1000 days", "FREQ=DAILY;INTERVAL=1000", "2026-11-27"},
	} {
		got, err := readText(t, tc.text, "en")
		if err != nil || got.RRule != tc.rule || got.Date != tc.first {
			t.Errorf("ParseText(%q): got %q from %q, %v; want %q from %q", tc.text, got.RRule, got.Date, err, tc.rule, tc.first)
			continue
		}
		if _, err := Parse(got.RRule); err != nil {
			t.Errorf("ParseText(%q): its rule %q is refused: %v", tc.text, got.RRule, err)
		}
	}
}

func TestParseTextKeepsTheTimeOfDay(t *testing.T) {
	for _, tc := range []struct{ text, at string }{
		{"every day at 9", "2026-11-28T08:00:00Z"}, // today's has passed
		{"every day at 21:00", "2026-11-27T20:00:00Z"},
		{"every day 9:30 pm", "2026-11-27T20:30:00Z"},
		{"every fri at 9am", "2026-12-04T08:00:00Z"},
		{"every other fri at 9am", "2026-12-04T08:00:00Z"},
		{"every 2 weeks at 9am", "2026-12-11T08:00:00Z"},
		{"every monday morning", "2026-11-30T08:00:00Z"},
		{"every evening", "2026-11-27T18:00:00Z"},
		{"every day at midnight", "2026-11-27T23:00:00Z"},
		{"every day at 12am", "2026-11-27T23:00:00Z"},
		{"every day at 12pm", "2026-11-27T11:00:00Z"},
		{"every day at 02:30 starting 2027-03-28", "2027-03-28T01:30:00Z"}, // the clocks skip it
		{"every day at 02:30 starting 2027-10-31", "2027-10-31T00:30:00Z"}, // it comes twice
		{"every day starting 2027-01-27T18:00:00Z", "2027-01-27T18:00:00Z"},
		{"tomorrow 10am", "2026-11-28T09:00:00Z"},
		{"6pm tomorrow", "2026-11-28T17:00:00Z"},
		{"tomorrow in the morning", "2026-11-28T08:00:00Z"},
		{"9am", "2026-11-28T08:00:00Z"},
		{"today at 9am", "2026-11-27T08:00:00Z"},
		{"2027-01-27T18:00", "2027-01-27T17:00:00Z"},
		{"2027-01-27T18:00:00+05:00", "2027-01-27T13:00:00Z"},
		{"2027-01-27 6:15 p.m.", "2027-01-27T17:15:00Z"},
	} {
		got, err := readText(t, tc.text, "en")
		if err != nil || got.At.Format(time.RFC3339) != tc.at || !got.HasClock {
			t.Errorf("ParseText(%q): got %v, %v; want %s", tc.text, got.At, err, tc.at)
		}
	}
}

func TestParseTextReadsDates(t *testing.T) {
	for _, tc := range []struct {
		text, date string
		relative   bool
	}{
		{"27 Nov 2026", "2026-11-27", false}, {"Nov 27th, 2026", "2026-11-27", false}, {"Fri, 27 Nov 2026", "2026-11-27", false},
		{"2027-1-5", "2027-01-05", false}, {"5.1.2027", "2027-01-05", false}, {"27/1/2027", "2027-01-27", false}, {"1/27/2027", "2027-01-27", false},
		{"5/5/2027", "2027-05-05", false},
		{"27 jan", "2027-01-27", true}, {"27/1", "2027-01-27", true}, {"27 nov", "2026-11-27", true}, {"feb 29", "2028-02-29", true},
		{"27th", "2026-11-27", true}, {"31st", "2026-12-31", true}, {"26th", "2026-12-26", true},
		{"fri", "2026-11-27", true}, {"mon", "2026-11-30", true}, {"next friday", "2026-12-04", true}, {"this weekend", "2026-11-28", true},
		{"next week", "2026-11-30", true}, {"next month", "2026-12-01", true}, {"next year", "2027-01-01", true},
		{"in 3 days", "2026-11-30", true}, {"+5 days", "2026-12-02", true}, {"in a month", "2026-12-27", true}, {"2 weeks ago", "2026-11-13", true},
		{"yesterday", "2026-11-26", true}, {"day after tomorrow", "2026-11-29", true}, {"end of month", "2026-11-30", true},
		{"mid january", "2027-01-15", true}, {"no date", "", false},
	} {
		got, err := readText(t, tc.text, "en")
		if err != nil || got.Recurs() || got.Date != tc.date || got.Relative != tc.relative || got.HasClock {
			t.Errorf("ParseText(%q): got %+v, %v; want %q, relative %v", tc.text, got, err, tc.date, tc.relative)
		}
	}
}

func TestParseTextReadsOtherLanguages(t *testing.T) {
	for _, tc := range []struct{ language, text, rule, date string }{
		{"de", "jeden Montag um 9 Uhr", "FREQ=WEEKLY;BYDAY=MO", "2026-11-30"},
		{"de", "alle 2 Wochen", "FREQ=WEEKLY;INTERVAL=2", "2026-11-27"},
		{"de", "jeden letzten Freitag im Monat", "FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27"},
		{"de", "täglich bis 31.12.2026", "FREQ=DAILY;UNTIL=20261231", "2026-11-27"},
		{"de", "27. Ma\u0308rz 2027", "", "2027-03-27"}, // ä as two characters
		{"de", "27.1.", "", "2027-01-27"},
		{"de", "übermorgen", "", "2026-11-29"},
		{"de_AT", "27. Jänner", "", "2027-01-27"},
		{"de", "every day", "FREQ=DAILY", "2026-11-27"},
		{"fr", "tous les 3 jours", "FREQ=DAILY;INTERVAL=3", "2026-11-27"},
		{"fr", "chaque dernier vendredi du mois", "FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27"},
		{"fr", "lundi prochain", "", "2026-11-30"},
		{"fr", "mardi", "", "2026-12-01"},
		{"fr", "1er mai 2027 à 18h30", "", "2027-05-01"},
		{"es", "todos los lunes y jueves", "FREQ=WEEKLY;BYDAY=MO,TH", "2026-11-30"},
		{"es", "mar", "", "2026-12-01"},
		{"es", "1 mar 2027", "", "2027-03-01"},
		{"es", "27 de marzo de 2027", "", "2027-03-27"},
		{"it", "ogni lunedì alle 9", "FREQ=WEEKLY;BYDAY=MO", "2026-11-30"},
		{"pt_BR", "toda segunda-feira às 9", "FREQ=WEEKLY;BYDAY=MO", "2026-11-30"},
		{"pt", "27 dez 2027", "", "2027-12-27"},
		{"nl", "om de 2 weken", "FREQ=WEEKLY;INTERVAL=2", "2026-11-27"},
		{"ja", "毎日", "FREQ=DAILY", "2026-11-27"},
		{"sv", "2027-01-27", "", "2027-01-27"},
	} {
		got, err := readText(t, tc.text, tc.language)
		if err != nil || got.RRule != tc.rule || got.Date != tc.date {
			t.Errorf("ParseText(%q) in %s: got %q from %q, %v; want %q from %q", tc.text, tc.language, got.RRule, got.Date, err, tc.rule, tc.date)
		}
	}
}

func TestParseTextRefusesWhatItCannotHold(t *testing.T) {
	for _, tc := range []struct{ language, text, says string }{
		{"en", "", "empty"},
		{"en", " \t", "empty"},
		{"en", "every foo bar", `"foo bar"`},
		{"en", "every day except mon", `"except mon"`},
		{"en", "every", "too early"},
		{"en", "every !", "too early"},
		{"en", "water the plants every day", `"water the plants every day"`},
		{"en", "every hour", "more often than daily"},
		{"en", "every 12 hours starting at 07:00 PM", "more often than daily"},
		{"en", "every 3 workday", "every 3 workdays"},
		{"en", "every other workday", "every 2 workdays"},
		{"en", "every 14 jan, 15 jun", "different days"},
		{"en", "every day for 3 weeks ending aug 3", "end twice"},
		{"en", "every day at 9am for 3 weeks 10 times", "end twice"},
		{"en", "every day at 9 at 10", "time of day twice"},
		{"en", "every day starting jan 1 starting jan 2", "same day twice"},
		{"en", "every day until yesterday", "before its first day"},
		{"en", "every day from 2027-05-10 until 2027-05-09", "before its first day"},
		{"en", "every day for 0 weeks", `"for 0 weeks"`},
		{"en", "every 0 days", "interval of 0"},
		{"en", "every 1001 days", "from 1 to 1000"},
		{"en", "every 31 feb", "any calendar"},
		{"en", "weekly on the 15th", "do not belong together"},
		{"en", "daily on mon", "do not belong together"},
		{"en", "every other 3rd friday", "do not belong together"},
		{"en", "every monday and 15th", `"monday and 15th"`},
		{"en", "30 feb 2027", "calendar does not have"},
		{"en", "2027-02-29", "calendar does not have"},
		{"en", "31/4/2027", "calendar does not have"},
		{"en", "27 jan 1899", `"1899"`},
		{"en", "1899-01-27", "calendar does not have"},
		{"en", "0000-01-01T00:20+00:00", "calendar does not have"},
		{"en", "9999-12-31T23:30:00-05:00", "calendar does not have"},
		{"en", "Thu 27 Jan 2027", "not a Thursday"},
		{"en", "02/03/2027", "2 March 2027 or 3 February 2027"},
		{"en", "tomorrow at 25:00", "time of day that does not exist"},
		{"en", "tomorrow at 13pm", "time of day that does not exist"},
		{"en", "2027-01-27T24:00:00", "time of day that does not exist"},
		{"sv", "varje dag", `"sv" is not supported`},
		{"de", "jeden Krimskrams", `"Krimskrams"`},
	} {
		_, err := readText(t, tc.text, tc.language)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("ParseText(%q): got %v, want an *Error with %s", tc.text, err, tc.says)
		}
	}
}

func TestParseTextSaysWhatItAssumes(t *testing.T) {
	for _, tc := range []struct{ language, text, note string }{
		{"en", "every 15 workdays", "is read as every 3 weeks"},
		{"en", "every 2nd day", "is read as every 2 days"},
		{"en", "every jan, apr 15", "is read as the same days in each of the months"},
		{"en", "every 31st", "leaves out the months that have no day 31"},
		{"en", "every 29 feb", "comes only in leap years"},
		{"en", "every mon starting 2026-01-05", "began on 2026-01-05 and continues on 2026-11-30"},
		{"en", "02-03-2027", "can mean 2 March 2027 or 3 February 2027: the first is used"},
		{"fr", "02/03/2027", "can mean 2 March 2027 or 3 February 2027: the first is used"},
		{"de", "jeden 2. Montag", "is read as the second one of each month"},
		{"sv", "27 Jan 2027", `is read as English: the language "sv" is not supported`},
	} {
		got, err := readText(t, tc.text, tc.language)
		if err != nil || !slices.Contains(got.Notes, tc.note) {
			t.Errorf("ParseText(%q): got the notes %q, %v; want %q", tc.text, got.Notes, err, tc.note)
		}
	}
}

func TestParseTextCountsFromTheStartThatIsGiven(t *testing.T) {
	for _, tc := range []struct{ text, start, rule, first string }{
		{"every month", "2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2027-01-31"},
		{"every mon", "2027-01-06", "FREQ=WEEKLY;BYDAY=MO", "2027-01-11"},
		{"every day at 9am", "2026-11-27", "FREQ=DAILY", "2026-11-27"},
		{"every day", "2020-01-01", "FREQ=DAILY", "2020-01-01"},
	} {
		got, err := ParseText(tc.text, TextOptions{Zone: zone(t, "Europe/Berlin"), Now: friday, Start: tc.start})
		if err != nil || got.RRule != tc.rule || got.Date != tc.first || got.Starts {
			t.Errorf("ParseText(%q) from %s: got %+v, %v; want %q from %q", tc.text, tc.start, got, err, tc.rule, tc.first)
		}
	}
}

func TestParseTextTakesTheAnchorFromThePhrase(t *testing.T) {
	for text, want := range map[string]events.Anchor{
		"every 3 days": events.AnchorSchedule, "every! 3 days": events.AnchorCompletion, "every !3 days": events.AnchorCompletion,
		"daily!": events.AnchorCompletion, "after 10 days": events.AnchorCompletion, "every! mon at 9": events.AnchorCompletion, "tomorrow": "",
	} {
		if got, err := readText(t, text, "en"); err != nil || got.Anchor != want {
			t.Errorf("ParseText(%q): got the anchor %q, %v; want %q", text, got.Anchor, err, want)
		}
	}
}

func TestParseTextBoundsTheLengthOfAPhrase(t *testing.T) {
	longest := "every day" + strings.Repeat(" ", MaxText-len("every day"))
	if _, err := readText(t, longest, "en"); err != nil {
		t.Errorf("%d characters: got %v, want a rule", len(longest), err)
	}
	if _, err := readText(t, longest+" ", "en"); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d characters: got %v, want an *Error", len(longest)+1, err)
	}
}

// FuzzParseText searches for a phrase that gives a rule that Parse refuses, or a first date that is not a date of the rule.
func FuzzParseText(f *testing.F) {
	for _, text := range []string{
		"every 2 weeks on mon,thu at 9am until 3 aug", "monthly on the last friday", "every! 15 workday", "jan 27, 2027 6pm", "+5 days",
		"every jan 1, 15 and apr 1, 15", "2027-01-27T18:00:00+05:00", "jeden 2. Montag um 9 Uhr", "every 31st starting 1900-01-01 for 3 months",
	} {
		for _, language := range []string{"en", "de", "fr", "es", "xx"} {
			f.Add(text, language, friday.Unix())
		}
	}
	f.Fuzz(func(t *testing.T, text, language string, now int64) {
		const years = 200 * 365 * 24 * 60 * 60
		o := TextOptions{Zone: zone(t, "America/New_York"), Now: time.Unix(now%years, 0), Language: language}
		got, err := ParseText(text, o)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("ParseText(%q): got %v, want an *Error", text, err)
			}
			return
		}
		if _, err := time.Parse(time.DateOnly, got.Date); got.Date != "" && err != nil {
			t.Fatalf("ParseText(%q): the date %q is no date", text, got.Date)
		}
		if got.HasClock == got.At.IsZero() {
			t.Fatalf("ParseText(%q): got %+v, want an instant exactly if there is a time of day", text, got)
		}
		if !got.Recurs() {
			return
		}
		rule, err := Parse(got.RRule)
		if err != nil || got.Date == "" {
			t.Fatalf("ParseText(%q): got %+v, whose rule gives %v", text, got, err)
		}
		if _, ok := Next(rule, events.AnchorSchedule, o.Zone, Occurrence{No: 1, Date: got.Date}, time.Time{}); !ok && rule.Count() == 0 && got.Until == "" && got.Date < "8000" {
			t.Fatalf("ParseText(%q): the rule %s ends with its first day %s", text, got.RRule, got.Date)
		}
	})
}
