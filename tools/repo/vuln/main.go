// Command vuln compares what govulncheck found with the findings that are accepted.
//
//	govulncheck -format json ./... | vuln ACCEPTED
//
// A vulnerability counts where the code calls it. One that is not accepted is printed and the exit code is 1. One that is
// accepted and not found any more is printed too, so that the list does not outlive its reasons. ACCEPTED has a line for
// each accepted vulnerability: its id and the reason, which may not be empty. Empty lines and lines with # are ignored.
//
// Standard input may be the outputs of several runs, one after the other.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "govulncheck -format json ./... | vuln ACCEPTED")
		os.Exit(2)
	}
	err := run(os.Stdin, os.Args[1], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, file string, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	accepted, err := readAccepted(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	found, err := readFindings(in)
	if err != nil {
		return fmt.Errorf("read the output of govulncheck: %w", err)
	}
	return compare(found, accepted, out)
}

// errNotAccepted is a vulnerability that is called and not on the list.
var errNotAccepted = errors.New("vulnerabilities that are not accepted: update the module, or add the id and a reason to the list")

// compare prints what differs. It returns errNotAccepted if a vulnerability was found that is not accepted.
func compare(found []finding, accepted map[string]string, out io.Writer) error {
	refused, seen := 0, map[string]bool{}
	for _, f := range found {
		seen[f.ID] = true
		if reason, ok := accepted[f.ID]; ok {
			fmt.Fprintf(out, "  accepted   %s: %s\n", f.ID, reason)
			continue
		}
		refused++
		fmt.Fprintf(out, "  VULNERABLE %s in %s: %s\n             fixed in %s; called by %s\n", f.ID, f.Module, f.Summary, f.Fixed, f.Caller)
	}
	for _, id := range slices.Sorted(maps.Keys(accepted)) {
		if !seen[id] {
			fmt.Fprintf(out, "  not found  %s: take it off the list of accepted vulnerabilities\n", id)
		}
	}
	if refused > 0 {
		return errNotAccepted
	}
	return nil
}

var acceptedLine = regexp.MustCompile(`^(GO-\d{4}-\d{4,})\s+(\S.*)$`)

// readAccepted returns the reasons by id.
func readAccepted(in io.Reader) (map[string]string, error) {
	reasons := map[string]string{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		m := acceptedLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%q is not an id like GO-2024-0001 and a reason", line)
		}
		reasons[m[1]] = m[2]
	}
	return reasons, lines.Err()
}

// finding is a vulnerability that the code calls.
type finding struct {
	ID, Summary, Module, Fixed string
	Caller                     string // a function of ours from which the vulnerable one is reached
}

// frame is a step of a trace, from the vulnerable function (first) to ours (last).
type frame struct {
	Module, Version, Package, Function string
}

// message is one value of govulncheck's JSON stream; each has exactly one of the fields.
type message struct {
	OSV *struct {
		ID      string
		Summary string
	}
	Finding *struct {
		OSV          string
		FixedVersion string `json:"fixed_version"`
		Trace        []frame
	}
}

// readFindings returns the called vulnerabilities, each once, by id. govulncheck also tells of modules and packages with a
// vulnerability that nothing calls; those traces name no function.
func readFindings(in io.Reader) ([]finding, error) {
	summaries, byID := map[string]string{}, map[string]finding{}
	messages := 0
	for d := json.NewDecoder(in); ; messages++ {
		var m message
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		f := m.Finding
		if f == nil || len(f.Trace) == 0 || f.Trace[0].Function == "" {
			continue
		}
		if _, known := byID[f.OSV]; known {
			continue
		}
		first, last := f.Trace[0], f.Trace[len(f.Trace)-1]
		fixed := f.FixedVersion
		if fixed == "" {
			fixed = "no version"
		}
		byID[f.OSV] = finding{ID: f.OSV, Module: first.Module + "@" + first.Version, Fixed: fixed, Caller: last.Package + "." + last.Function}
	}
	if messages == 0 {
		return nil, errors.New("it is empty")
	}
	all := make([]finding, 0, len(byID))
	for id, f := range byID {
		f.Summary = summaries[id]
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b finding) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}
