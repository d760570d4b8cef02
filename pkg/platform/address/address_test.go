package address

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAClientIsCountedByWhatItCannotChoose(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.7":               "203.0.113.7",
		"::ffff:203.0.113.7":        "203.0.113.7",
		"2001:db8:2:2::1":           "2001:db8:2:2::/64",
		"2001:db8:2:2:ffff:1:2:3":   "2001:db8:2:2::/64",
		"2001:DB8:2:2:0:0:0:104":    "2001:db8:2:2::/64",
		"2001:db8:2:3::1":           "2001:db8:2:3::/64",
		"::1":                       "::/64",
		"fe80::1%eth0":              "fe80::/64",
		"::ffff:203.0.113.7%eth0":   "203.0.113.7",
		"2001:db8:2:2::203.0.113.7": "2001:db8:2:2::/64",
	} {
		if got := Key(netip.MustParseAddr(in)); got != want {
			t.Errorf("Key(%s): got %s, want %s", in, got, want)
		}
	}
	if got := Key(netip.Addr{}); got != unknown {
		t.Errorf("Key of no address: got %s, want %s", got, unknown)
	}
}

func TestOnlyWhatATrustedProxyWroteIsBelieved(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.1/32", " ::1 ", "", "10.0.0.0/8", "fd00::/8", "::ffff:192.0.2.9"})
	if err != nil {
		t.Fatal(err)
	}
	const gateway, stranger = "127.0.0.1:40000", "203.0.113.9:40000"
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no header", gateway, nil, "127.0.0.1"},
		{"a stranger's header", stranger, []string{"9.9.9.9"}, "203.0.113.9"},
		{"the gateway's entry", gateway, []string{"9.9.9.9"}, "9.9.9.9"},
		{"a proxy over IPv6", "[::1]:40000", []string{"9.9.9.9"}, "9.9.9.9"},
		{"a proxy in the mapped form", "[::ffff:127.0.0.1]:40000", []string{"9.9.9.9"}, "9.9.9.9"},
		{"a trusted proxy in the mapped form", "192.0.2.9:1", []string{"9.9.9.9"}, "9.9.9.9"},
		{"the last of several entries", gateway, []string{"6.6.6.6, 9.9.9.9"}, "9.9.9.9"},
		{"the last of several lines", gateway, []string{"6.6.6.6", "9.9.9.9"}, "9.9.9.9"},
		{"behind two trusted proxies", gateway, []string{"6.6.6.6, 9.9.9.9,10.1.1.1"}, "9.9.9.9"},
		{"two trusted proxies in two lines", gateway, []string{"6.6.6.6, 9.9.9.9", "10.1.1.1"}, "9.9.9.9"},
		{"a client inside", gateway, []string{"10.1.1.1"}, "10.1.1.1"},
		{"IPv6", gateway, []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4-mapped", gateway, []string{"::ffff:9.9.9.9"}, "9.9.9.9"},
		{"with a port", gateway, []string{"9.9.9.9:443"}, "9.9.9.9"},
		{"IPv6 with a port", gateway, []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		// From here on the entry is not an address: the proxy that wrote it counts.
		{"a zone", gateway, []string{"fe80::1%eth0"}, "127.0.0.1"},
		{"a zone and a client's entry", gateway, []string{"6.6.6.6, fe80::1%eth0"}, "127.0.0.1"},
		{"a zone with a port", gateway, []string{"[fe80::1%eth0]:1"}, "127.0.0.1"},
		{"a mapped address with a zone", gateway, []string{"::ffff:9.9.9.9%1"}, "127.0.0.1"},
		{"words", gateway, []string{"6.6.6.6, unknown"}, "127.0.0.1"},
		{"an obfuscated identifier", gateway, []string{"6.6.6.6, _hidden"}, "127.0.0.1"},
		{"an empty entry", gateway, []string{"6.6.6.6,"}, "127.0.0.1"},
		{"an empty line", gateway, []string{"6.6.6.6", ""}, "127.0.0.1"},
		{"an address in octal", gateway, []string{"6.6.6.6, 010.0.0.1"}, "127.0.0.1"},
		{"a short address", gateway, []string{"6.6.6.6, 9.9"}, "127.0.0.1"},
		{"a network", gateway, []string{"6.6.6.6, 9.9.9.0/24"}, "127.0.0.1"},
		{"brackets without a port", gateway, []string{"6.6.6.6, [2001:db8::1]"}, "127.0.0.1"},
		{"an unreadable entry behind an inner proxy", gateway, []string{"6.6.6.6, x, 10.1.1.1"}, "10.1.1.1"},
		{"a link-local peer", "[fe80::2%lo]:1", []string{"9.9.9.9"}, "fe80::2"},
		{"no connection", "@", []string{"9.9.9.9"}, "invalid IP"},
	} {
		if got := proxies.Client(c.remote, c.forwarded).String(); got != c.want {
			t.Errorf("%s: Client(%q, %q): got %s, want %s", c.name, c.remote, c.forwarded, got, c.want)
		}
	}
	if got := (Proxies{}).Client(gateway, []string{"9.9.9.9"}).String(); got != "127.0.0.1" {
		t.Errorf("without trusted proxies: got %s, want the connection's address", got)
	}
}

func TestAProxyThatIsNoAddressIsNamed(t *testing.T) {
	for _, bad := range []string{"localhost", "10.0.0.0/33", "fe80::1%eth0", "10.0.0"} {
		if _, err := ParseProxies([]string{"127.0.0.1", bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("ParseProxies(%q): got %v, want an error that names it", bad, err)
		}
	}
}

// FuzzClient: whatever the header has, the client is the connection's address, or one of the entries, and only a trusted
// proxy's entry.
func FuzzClient(f *testing.F) {
	f.Add("9.9.9.9, 10.1.1.1", "6.6.6.6")
	f.Add(",,fe80::1%eth0", "[::1]:1")
	proxies, err := ParseProxies([]string{"127.0.0.1", "10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if got := proxies.Client("203.0.113.9:1", []string{one, two}); got.String() != "203.0.113.9" {
			t.Errorf("a stranger's header was believed: %s", got)
		}
		got := proxies.Client("127.0.0.1:1", []string{one, two})
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("Client: got %s, want a plain address", got)
		}
	})
}
