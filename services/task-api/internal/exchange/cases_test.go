package exchange_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// The moment and the account of testdata/cases: see its README.md.
const casesZone = "Europe/Berlin"

var casesNow = time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)

// soon is what stands for @SOON@ in a file: two minutes after the import.
const soon = "20261127T093200Z"

// expected is a line of expected.jsonl.
type expected struct {
	File   string         `json:"file"`
	Entry  string         `json:"uid_or_title"`
	Expect map[string]any `json:"expect"`
	Why    string         `json:"why"`
}

// name identifies a case in the notYet lists.
func (e expected) name() string { return e.File + ": " + e.Entry }

// TestFilesOfOtherProgramsGiveTheRightAnswers reads each file of testdata/cases, imports it, and compares each entry with its line
// in expected.jsonl. A case that is not right yet stands in a notYet list. The test fails if a listed case passes, so the lists
// only shrink.
func TestFilesOfOtherProgramsGiveTheRightAnswers(t *testing.T) {
	cases, imports := readCases(t), map[string]*imported{}
	for _, c := range cases {
		if imports[c.File] == nil {
			imports[c.File] = importFile(t, c.File)
		}
		t.Run(c.name(), func(t *testing.T) {
			got := imports[c.File]
			problems := got.check(c)
			switch listed := notYet(c.name()); {
			case listed && len(problems) == 0:
				t.Error("the case is right: remove it from the notYet list")
			case !listed && len(problems) > 0:
				t.Errorf("%s\nwhy: %s", strings.Join(problems, "\n"), c.Why)
			}
		})
	}
	named := map[string]bool{}
	for _, c := range cases {
		named[c.name()] = true
	}
	for _, list := range [][]string{notYetICS, notYetTaskwarrior, notYetTodoist} {
		for _, name := range list {
			if !named[name] {
				t.Errorf("the notYet list has %q, which is no case", name)
			}
		}
	}
}

func notYet(name string) bool {
	for _, list := range [][]string{notYetICS, notYetTaskwarrior, notYetTodoist} {
		for _, listed := range list {
			if listed == name {
				return true
			}
		}
	}
	return false
}

func readCases(t *testing.T) (cases []expected) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(caseFile(t, "expected.jsonl")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c expected
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func caseFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(raw, []byte("@SOON@"), []byte(soon))
}

func caseFormat(file string) exchange.Format {
	switch filepath.Ext(file) {
	case ".ics":
		return exchange.ICS
	case ".csv":
		return exchange.CSV
	default:
		return exchange.Taskwarrior
	}
}
