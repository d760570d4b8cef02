package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newAuthority(t *testing.T) authority {
	t.Helper()
	dir := t.TempDir()
	return authority{dir: filepath.Join(dir, "authority"), anchors: filepath.Join(dir, "trust", "ca.crt"), trustDomain: "cluster.local", life: time.Hour}
}

func ensure(t *testing.T, a authority) string {
	t.Helper()
	current, err := a.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return current
}

func TestTheAuthorityIsMadeOnce(t *testing.T) {
	a := newAuthority(t)
	first := ensure(t, a)
	if err := os.Remove(a.anchors); err != nil {
		t.Fatal(err)
	}
	if again := ensure(t, a); again != first {
		t.Errorf("the second start made %s, want the %s of the first", again, first)
	}
	if _, err := os.Stat(a.anchors); err != nil {
		t.Errorf("the root certificates were not published again: %v", err)
	}
}

func TestTheAuthoritysFilesAreForItsOwnerOnly(t *testing.T) {
	a := newAuthority(t)
	current := ensure(t, a)
	for path, want := range map[string]os.FileMode{
		a.dir: 0o700, current: 0o700, filepath.Join(current, keyFile): 0o600, filepath.Join(current, issuerFile): 0o600,
		filepath.Join(current, rootFile): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want mode %o", path, info, err, want)
		}
	}
}

func TestCertificatesAreReplacedInTheirLastThird(t *testing.T) {
	a := newAuthority(t)
	first := ensure(t, a)
	a.life = 3*time.Hour - time.Minute // those made above have a third of it and a little more
	if current := ensure(t, a); current != first {
		t.Error("certificates were replaced before their last third")
	}
	a.life = 3*time.Hour + time.Minute
	second := ensure(t, a)
	if second == first {
		t.Fatal("certificates in their last third were kept")
	}
	roots, err := readCertificates(a.anchors)
	if err != nil || len(roots) != 2 {
		t.Errorf("published %d roots, %v, want the new one and the old one", len(roots), err)
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("the old issuer's key is still there: %v", err)
	}
}

func TestAReplacementThatFailsLeavesTheOldCertificatesInUse(t *testing.T) {
	a := newAuthority(t)
	first := ensure(t, a)
	a.life = 3*time.Hour + time.Minute // those made above are in their last third
	file := filepath.Join(a.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reachable := a.anchors
	a.anchors = filepath.Join(file, "ca.crt")
	if current := ensure(t, a); current != first {
		t.Errorf("got %s, want the old certificates in %s", current, first)
	}
	a.anchors = reachable
	if current := ensure(t, a); current == first {
		t.Error("the next attempt did not replace them")
	}
}

func TestADamagedAuthorityIsNamedAndKept(t *testing.T) {
	for _, name := range []string{rootFile, issuerFile} {
		a := newAuthority(t)
		path := filepath.Join(ensure(t, a), name)
		if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.ensure(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s damaged: got %v, want an error that names the file", name, err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "nothing" {
			t.Errorf("%s was changed: %q, %v", name, raw, err)
		}
	}
}

// A start that is killed between two writes leaves a folder that no link names.
func TestAnUnfinishedReplacementIsNotUsed(t *testing.T) {
	a := newAuthority(t)
	first := ensure(t, a)
	if err := os.Mkdir(filepath.Join(a.dir, "9"), 0o700); err != nil {
		t.Fatal(err)
	}
	if current := ensure(t, a); current != first {
		t.Errorf("got %s, want %s", current, first)
	}
}

func TestAFlagThatIsMissingIsNamed(t *testing.T) {
	if err := run(t.Context(), []string{"--credentials", "x", "--trust-anchors", "y"}); err == nil || !strings.Contains(err.Error(), "--jwks") {
		t.Errorf("got %v, want an error that names --jwks", err)
	}
}
