// Package authtest makes signing keys and access tokens for tests.
package authtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// SigningKey returns a new signing key in the form of the task API's secret: PEM, PKCS8, Ed25519.
func SigningKey(t testing.TB) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// NewSigner returns a signer with a new key.
func NewSigner(t testing.TB) *auth.Signer {
	t.Helper()
	signer, err := auth.NewSigner(SigningKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Token returns an access token of a new session that is valid from now on.
func Token(t testing.TB, signer *auth.Signer, userID, role string) string {
	t.Helper()
	token, _, err := signer.Sign(userID, role, uuid.NewString(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Bearer returns the value of the Authorization header for Token.
func Bearer(t testing.TB, signer *auth.Signer, userID, role string) string {
	t.Helper()
	return "Bearer " + Token(t, signer, userID, role)
}
