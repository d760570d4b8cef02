package auth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Signer makes access tokens. It is safe for concurrent use.
type Signer struct {
	key  ed25519.PrivateKey
	kid  string
	jwks []byte
}

type claims struct {
	Role      string `json:"role"`
	SessionID string `json:"sid,omitempty"` // OpenID Connect Front-Channel Logout 1.0, section 3
	jwt.RegisteredClaims
}

// NewSigner takes one or more Ed25519 keys as PEM blocks with PKCS8. The first signs, and all are published. The error
// never repeats a part of the input.
func NewSigner(pemPKCS8 string) (*Signer, error) {
	s := &Signer{}
	var set jose.JSONWebKeySet
	for rest := []byte(pemPKCS8); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("token signing key: a PEM block is not a PKCS8 private key")
		}
		key, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("token signing key: a %T instead of an Ed25519 key", parsed)
		}
		public, err := publicJWK(key)
		if err != nil {
			return nil, err
		}
		if s.key == nil {
			s.key, s.kid = key, public.KeyID
		}
		set.Keys = append(set.Keys, public)
	}
	if s.key == nil {
		return nil, errors.New("token signing key: no PEM block")
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("token signing key: %w", err)
	}
	s.jwks = raw
	return s, nil
}

// publicJWK is the public key of key as it is published (RFC 8037, section 2). Its kid is the thumbprint of RFC 7638.
func publicJWK(key ed25519.PrivateKey) (jose.JSONWebKey, error) {
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.EdDSA), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("token signing key: thumbprint: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return public, nil
}

// Sign makes a token for a session of a user.
func (s *Signer) Sign(userID, role, sessionID string, now time.Time) (token string, expiresIn time.Duration, err error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{Role: role, SessionID: sessionID, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: userID, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(AccessTokenLife)),
	}})
	t.Header["kid"] = s.kid
	token, err = t.SignedString(s.key)
	if err != nil {
		return "", 0, fmt.Errorf("sign a token: %w", err)
	}
	return token, AccessTokenLife, nil
}

// KeyID returns the id of the key that signs, the kid in the header of a token. It is not secret.
func (s *Signer) KeyID() string { return s.kid }

// JWKS returns the public keys (RFC 7517).
func (s *Signer) JWKS() []byte { return s.jwks }

// Keys implements KeySource for the process that signs.
func (s *Signer) Keys(context.Context) ([]byte, error) { return s.jwks, nil }
