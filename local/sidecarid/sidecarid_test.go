package sidecarid

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issued makes tokens for two apps in dir and returns the files.
func issued(t *testing.T, dir string) (jwks string, tokens map[string]string) {
	t.Helper()
	jwks = filepath.Join(dir, "trust", "jwks.json")
	tokens = map[string]string{"task-api": filepath.Join(dir, "tokens", "task-api.jwt"), "audit": filepath.Join(dir, "tokens", "audit.jwt")}
	if err := Issue(jwks, tokens); err != nil {
		t.Fatal(err)
	}
	return jwks, tokens
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// claims returns the claims of a token and reports whether the key in the set has signed it.
func claims(t *testing.T, set, token string) (c struct {
	Sub, Aud string
	Iat, Exp int64
}, ok bool) {
	t.Helper()
	var keys struct {
		Keys []struct{ Kid, X string }
	}
	if err := json.Unmarshal([]byte(set), &keys); err != nil || len(keys.Keys) != 1 {
		t.Fatalf("key set %s: %v, want one key", set, err)
	}
	decode := func(s string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		return raw
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q has %d parts, want 3", token, len(parts))
	}
	var header struct{ Alg, Kid string }
	if err := json.Unmarshal(decode(parts[0]), &header); err != nil || header.Alg != "EdDSA" {
		t.Errorf("header %s: %v", decode(parts[0]), err)
	}
	if err := json.Unmarshal(decode(parts[1]), &c); err != nil {
		t.Fatal(err)
	}
	signed := header.Kid == keys.Keys[0].Kid
	return c, signed && ed25519.Verify(decode(keys.Keys[0].X), []byte(parts[0]+"."+parts[1]), decode(parts[2]))
}

func TestATokenNamesItsAppAndSentry(t *testing.T) {
	jwks, tokens := issued(t, t.TempDir())
	for app, file := range tokens {
		c, ok := claims(t, read(t, jwks), read(t, file))
		if !ok || c.Sub != "spiffe://public/ns/taskwire/"+app || c.Aud != "spiffe://cluster.local/ns/dapr-system/dapr-sentry" {
			t.Errorf("token of %s: %+v, signed %t", app, c, ok)
		}
		if now := time.Now().Unix(); c.Iat >= now || c.Exp < now+int64((9*365*24*time.Hour).Seconds()) {
			t.Errorf("token of %s is valid from %d to %d, now is %d: want longer than any run", app, c.Iat, c.Exp, now)
		}
	}
}

func TestATokenIsForItsOwnerOnly(t *testing.T) {
	jwks, tokens := issued(t, t.TempDir())
	for _, file := range tokens {
		for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: got %v, %v, want mode %o", path, info.Mode(), err, want)
			}
		}
	}
	if set := read(t, jwks); strings.Contains(set, `"d"`) {
		t.Errorf("the set has a private key: %s", set)
	}
}

func TestIssuingAgainEndsTheEarlierTokens(t *testing.T) {
	dir := t.TempDir()
	_, tokens := issued(t, dir)
	old := read(t, tokens["audit"])
	jwks, _ := issued(t, dir)
	if _, ok := claims(t, read(t, jwks), old); ok {
		t.Error("the key of the second run has signed a token of the first")
	}
	if _, ok := claims(t, read(t, jwks), read(t, tokens["audit"])); !ok {
		t.Error("the token of the second run is not signed by its key")
	}
}

func TestAFolderThatCannotBeMadeIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Issue(filepath.Join(file, "jwks.json"), nil); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
}
