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
	// RefreshLifetime is how long a log-in lasts without being used.
	RefreshLifetime = 30 * 24 * time.Hour
	// GracePeriod is how long a rotated token may be presented again (see the package comment): longer than a
	// client's retries after a time-out, shorter than anybody needs to make use of a copied token unseen.
	GracePeriod = time.Minute

	tokenBytes = 32
)

// refreshToken is a refresh token in clear. It is never stored or logged.
type refreshToken [tokenBytes]byte

func newToken() (t refreshToken, err error) {
	if _, err := rand.Read(t[:]); err != nil {
		return t, fmt.Errorf("make refresh token: %w", err)
	}
	return t, nil
}

// parseToken reads the text form.
func parseToken(s string) (t refreshToken, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != tokenBytes {
		return t, false
	}
	return refreshToken(raw), true
}

func (t refreshToken) text() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// hash is what is stored of a token. A token has 256 random bits, so a plain hash is enough.
func (t refreshToken) hash() [sha256.Size]byte { return sha256.Sum256(t[:]) }

// seal hides the successor of t so that only who has t can read it: XOR with a pad that is derived from t. A pad is
// used once, because a token has one successor. open is the same.
func (t refreshToken) seal(successor refreshToken) (out refreshToken) {
	pad := hmac.New(sha256.New, t[:])
	pad.Write([]byte("taskwire refresh token successor"))
	subtle.XORBytes(out[:], successor[:], pad.Sum(nil))
	return out
}
