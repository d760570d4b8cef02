// How each kind of secret is made, and how a kept one is checked.

package secretfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	// passwordBytes is 256 bits, like the other keys.
	passwordBytes = 32
	// cursorKeyBytes is the length of the key with which the task API encrypts its list cursors.
	cursorKeyBytes = 32
	// auditSigner is the name in the audit log's signatures. Verifiers know the log by it.
	auditSigner = "taskwire-audit"
)

// NewToken returns a random token for an app and its sidecar.
func NewToken() string { return newPassword() }

func newPassword() string {
	raw := make([]byte, passwordBytes)
	_, _ = rand.Read(raw) // it never returns an error
	return hex.EncodeToString(raw)
}

func newCursorKey() (string, error) {
	raw := make([]byte, cursorKeyBytes)
	_, err := rand.Read(raw)
	return hex.EncodeToString(raw), err
}

func checkCursorKey(s string) error {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != cursorKeyBytes {
		return fmt.Errorf("not %d bytes in hexadecimal", cursorKeyBytes)
	}
	return nil
}

func newSigningKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func checkSigningKey(s string) error {
	block, _ := pem.Decode([]byte(s))
	if block == nil || block.Type != "PRIVATE KEY" {
		return errors.New("not a PEM block PRIVATE KEY")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if _, ok := key.(ed25519.PrivateKey); err != nil || !ok {
		return errors.New("not an Ed25519 key in PKCS#8 form")
	}
	return nil
}

func newNoteKey() (string, error) {
	signer, _, err := note.GenerateKey(rand.Reader, auditSigner)
	return signer, err
}

func checkNoteKey(s string) error {
	if signer, err := note.NewSigner(s); err != nil || !strings.HasPrefix(signer.Name(), auditSigner) {
		return errors.New("not a note signer key of " + auditSigner)
	}
	return nil
}
