package accounts

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// This file makes and checks the links in mails. A link has a token that the service signs, so nothing is stored for it. The
// signature covers what the use of the link changes: the password hash, and whether the e-mail is verified. So a link works once,
// and not after the password was changed in another way.

// MailKind is what a mail is for.
type MailKind string

// The kinds of mails.
const (
	MailVerify  MailKind = "verify"  // to show that mail to the e-mail reaches the user
	MailRecover MailKind = "recover" // to set a new password
)

// lifetimes has how long a link is valid. A link to set a password is as good as the password, so it is short (NIST SP 800-63B-4,
// section 4.2.1.2, allows a day).
var lifetimes = map[MailKind]time.Duration{MailVerify: 48 * time.Hour, MailRecover: time.Hour}

// Links makes and checks tokens. Safe for concurrent use.
type Links struct{ key []byte }

// NewLinks returns links that are signed with a key that is derived from the secret.
func NewLinks(secret []byte) (Links, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "taskwire account links v1", sha256.Size)
	if err != nil {
		return Links{}, fmt.Errorf("derive the key of links: %w", err)
	}
	return Links{key}, nil
}

// linkHeader is the length of a token without its signature: the user's id and the time in Unix seconds.
const linkHeader = 16 + 8

// token returns the token of a link for the account as it is now.
func (l Links) token(kind MailKind, u User, passwordHash string, expires time.Time) (string, error) {
	id, err := uuid.Parse(u.ID)
	if err != nil {
		return "", fmt.Errorf("make link: %w", err)
	}
	raw := binary.BigEndian.AppendUint64(id[:], uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(raw, l.sign(kind, raw, u, passwordHash)...)), nil
}

// sign returns the signature. Each text has its length before it, so that no two accounts have the same input.
func (l Links) sign(kind MailKind, header []byte, u User, passwordHash string) []byte {
	mac := hmac.New(sha256.New, l.key)
	for _, part := range []string{string(kind), string(header), u.Email, passwordHash, fmt.Sprint(u.EmailVerified)} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// link is a token that is well-formed. Nothing of it can be trusted before valid.
type link struct {
	userID string
	raw    []byte
}

func parseLink(text string) (link, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != linkHeader+sha256.Size {
		return link{}, false
	}
	return link{userID: uuid.UUID(raw[:16]).String(), raw: raw}, true
}

// valid reports whether the link was made for the account as it is now, and has not expired.
func (l Links) valid(k link, kind MailKind, u User, passwordHash string, now time.Time) bool {
	header, signature := k.raw[:linkHeader], k.raw[linkHeader:]
	expires := time.Unix(int64(binary.BigEndian.Uint64(header[16:])), 0)
	return hmac.Equal(signature, l.sign(kind, header, u, passwordHash)) && passwordHash != "" && now.Before(expires)
}
