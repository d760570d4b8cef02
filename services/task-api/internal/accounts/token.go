package accounts

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"
)

const (
	// RefreshLifetime is the time after which an unused log-in expires.
	RefreshLifetime = 30 * 24 * time.Hour
	// GracePeriod is the time in which a used token may be presented again (see the package comment). It is longer than a
	// client's retries after a time-out, and too short to use a copied token unnoticed.
	GracePeriod = time.Minute

	tokenBytes = 32
)

// refreshToken is a refresh token in plain text. It is never stored or logged.
type refreshToken [tokenBytes]byte

func newToken() (t refreshToken, err error) {
	if _, err := rand.Read(t[:]); err != nil {
		return t, fmt.Errorf("make refresh token: %w", err)
	}
	return t, nil
}

// parseToken parses the text form.
func parseToken(s string) (t refreshToken, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != tokenBytes {
		return t, false
	}
	return refreshToken(raw), true
}

func (t refreshToken) text() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// hash returns the stored form of a token. A token has 256 random bits, so a plain hash is enough.
func (t refreshToken) hash() [sha256.Size]byte { return sha256.Sum256(t[:]) }

// seal encrypts the successor of t by XOR with a pad that is derived from t, so that only a holder of t can read it. A pad is used
// once, because a token has one successor. Sealing again decrypts.
func (t refreshToken) seal(successor refreshToken) (out refreshToken) {
	pad := hmac.New(sha256.New, t[:])
	pad.Write([]byte("taskwire refresh token successor"))
	subtle.XORBytes(out[:], successor[:], pad.Sum(nil))
	return out
}
