package origin

import (
	"strings"
	"testing"
)

func TestOnlyTheListedOriginsAreAllowed(t *testing.T) {
	t.Parallel()
	s, err := Parse([]string{"https://app.example.com", " http://localhost:3000/ ", "", "https://Port.example:443"})
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]bool{
		"https://app.example.com": true, "HTTPS://APP.example.com": true, "https://app.example.com:443": true, "http://localhost:3000": true,
		"https://port.example":   true,
		"http://app.example.com": false, "https://app.example.com:8443": false, "https://app.example.com.evil.example": false,
		"https://evil.example/https://app.example.com": false, "https://app.example.com@evil.example": false,
		"http://localhost": false, "null": false, "": false, "*": false, "app.example.com": false,
	} {
		if got := s.Has(header); got != want {
			t.Errorf("Has(%q): got %v, want %v", header, got, want)
		}
	}
	if s.Any() || s.Empty() {
		t.Errorf("got any %v, empty %v, want neither", s.Any(), s.Empty())
	}
}

func TestAStarAllowsEveryOriginAndNoEntryNone(t *testing.T) {
	t.Parallel()
	all, err := Parse([]string{"*"})
	if err != nil || !all.Any() || all.Empty() || !all.Has("null") || !all.Has("https://x.example") {
		t.Errorf("*: got %+v, %v, want every origin", all, err)
	}
	none, err := Parse([]string{"", " "})
	if err != nil || !none.Empty() || none.Has("https://x.example") || (Set{}).Has("https://x.example") {
		t.Errorf("nothing: got %+v, %v, want none", none, err)
	}
}

func TestAnEntryThatIsNotAnOriginIsNamed(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"app.example.com", "https://", "https://a.example/path", "https://a.example?x", "https://a.example#f", "ftp://a.example", "https://u@a.example", "https://:80", "null", "https://*.example"} {
		_, err := Parse([]string{"https://ok.example", entry})
		if err == nil || !strings.Contains(err.Error(), entry) {
			t.Errorf("Parse(%q): got %v, want an error that names it", entry, err)
		}
	}
}
