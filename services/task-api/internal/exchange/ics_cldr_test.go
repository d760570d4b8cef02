package exchange

import (
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// cldr is testdata/windowsZones.json, which is supplemental/windowsZones.json of the npm package cldr-core 48.2.0, unchanged.
type cldr struct {
	Supplemental struct {
		Version struct {
			CLDR string `json:"_cldrVersion"`
		}
		WindowsZones struct {
			MapTimezones []struct {
				MapZone struct {
					Windows   string `json:"_other"`
					Zones     string `json:"_type"`
					Territory string `json:"_territory"`
				}
			}
		}
	}
}

func TestTableOfWindowsZonesIsThatOfCLDR(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "windowsZones.json"))
	if err != nil {
		t.Fatal(err)
	}
	var data cldr
	if err := json.Unmarshal(raw, &data); err != nil {
		t.Fatal(err)
	}
	var first, others []string
	windows := map[string]string{}
	for _, m := range data.Supplemental.WindowsZones.MapTimezones {
		zones := strings.Fields(m.MapZone.Zones)
		if m.MapZone.Territory == "001" {
			windows[m.MapZone.Windows] = zones[0]
			first = append(first, m.MapZone.Windows)
		}
		others = append(others, zones...)
	}
	slices.Sort(first)
	slices.Sort(others)
	others = slices.Compact(others)
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated from CLDR %s by go test -run TestTableOfWindowsZonesIsThatOfCLDR -update. DO NOT EDIT.\n\n", data.Supplemental.Version.CLDR)
	b.WriteString("package exchange\n\n// windowsZones maps the names of zones in Windows to IANA zones.\nvar windowsZones = map[string]string{\n")
	for _, name := range first {
		fmt.Fprintf(&b, "%q: %q,\n", strings.ToLower(name), windows[name])
	}
	b.WriteString("}\n\n// ianaZones are the zones that CLDR names: first those of windowsZones, in the order of their names in Windows.\nvar ianaZones = []string{\n")
	var listed []string
	for _, name := range first {
		if zone := windows[name]; !slices.Contains(listed, zone) {
			listed = append(listed, zone)
		}
	}
	for _, zone := range others {
		if !slices.Contains(listed, zone) {
			listed = append(listed, zone)
		}
	}
	for i, zone := range listed {
		end := " "
		if i%5 == 4 {
			end = "\n"
		}
		fmt.Fprintf(&b, "%q,%s", zone, end)
	}
	b.WriteString("\n}\n")
	want, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	const file = "ics_cldr.go"
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not made from testdata/windowsZones.json: run this test with -update", file)
	}
	for _, zone := range listed {
		if _, err := events.LoadZone(zone); err != nil {
			t.Errorf("LoadZone(%s): %v", zone, err)
		}
	}
}
