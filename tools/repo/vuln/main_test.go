package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded is the output of govulncheck for a program that calls a vulnerable function (GO-2099-0001), imports a package
// with one that it does not call (GO-2099-0002) and requires a module with one that it does not import (GO-2099-0003).
const recorded = "testdata/findings.json"

// compareRecorded compares the recorded findings with a list of accepted ones.
func compareRecorded(t *testing.T, accepted string) (string, error) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "accepted.txt")
	if err := os.WriteFile(list, []byte(accepted), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	err = run(in, list, &out)
	return out.String(), err
}

func TestAFindingThatIsNotAcceptedFails(t *testing.T) {
	out, err := compareRecorded(t, "# nothing\n\n")
	if !errors.Is(err, errNotAccepted) || !strings.Contains(out, "VULNERABLE GO-2099-0001") {
		t.Errorf("got %v and\n%s\nwant GO-2099-0001 to be refused", err, out)
	}
	for _, want := range []string{"v9.9.9", "probe.main"} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant it to name %s", out, want)
		}
	}
}

func TestAnAcceptedFindingPasses(t *testing.T) {
	out, err := compareRecorded(t, "GO-2099-0001 the input is ours\n")
	if err != nil || !strings.Contains(out, "the input is ours") {
		t.Errorf("got %v and\n%s\nwant no error, and the reason", err, out)
	}
}

func TestOnlyACalledVulnerabilityCounts(t *testing.T) {
	out, _ := compareRecorded(t, "GO-2099-0001 the input is ours\n")
	if strings.Contains(out, "GO-2099-0002") || strings.Contains(out, "GO-2099-0003") {
		t.Errorf("got\n%s\nwant nothing about vulnerabilities that are not called", out)
	}
}

func TestAnAcceptedFindingThatIsGoneIsReported(t *testing.T) {
	out, err := compareRecorded(t, "GO-2099-0001 the input is ours\nGO-2098-0009 gone\n")
	if err != nil || !strings.Contains(out, "not found  GO-2098-0009") {
		t.Errorf("got %v and\n%s\nwant no error, and GO-2098-0009 as not found", err, out)
	}
}

func TestAListWithoutReasonsIsRefused(t *testing.T) {
	for _, list := range []string{"GO-2099-0001\n", "CVE-2099-1 a reason\n", "GO-2099-0001 \t \n"} {
		if out, err := compareRecorded(t, list); err == nil || errors.Is(err, errNotAccepted) {
			t.Errorf("list %q: got %v and\n%s\nwant an error about the list", list, err, out)
		}
	}
}

func TestOutputThatIsCutOffIsRefused(t *testing.T) {
	for _, in := range []string{"", `{"config":{}} {"finding":`} {
		if _, err := readFindings(strings.NewReader(in)); err == nil {
			t.Errorf("%q: got no error", in)
		}
	}
}
