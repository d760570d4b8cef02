package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

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
	Role string `json:"role"`
	jwt.RegisteredClaims
}

// NewSigner takes one or more Ed25519 keys as PEM PKCS8: the first signs, all are published.
func NewSigner(pemPKCS8 string) (*Signer, error) {
	s := &Signer{}
	var set jwks
	for rest := []byte(pemPKCS8); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("token signing key: a PEM block is not a PKCS8 private key") // never repeat what is in it
		}
		key, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("token signing key: a %T instead of an Ed25519 key", parsed)
		}
		public := newJWK(key.Public().(ed25519.PublicKey)) // the type is fixed by crypto/ed25519
		if s.key == nil {
			s.key, s.kid = key, public.Kid
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

// Sign makes a token for a user.
func (s *Signer) Sign(userID, role string, now time.Time) (token string, expiresIn time.Duration, err error) {
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{Role: role, RegisteredClaims: jwt.RegisteredClaims{
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

// JWKS is the public key set (RFC 7517).
func (s *Signer) JWKS() []byte { return s.jwks }

type jwks struct {
	Keys []jwk `json:"keys"`
}

// jwk is an Ed25519 public key (RFC 8037, section 2).
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
}

func newJWK(key ed25519.PublicKey) jwk {
	x := base64.RawURLEncoding.EncodeToString(key)
	// RFC 7638: the required members in lexical order, without white space.
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return jwk{Kty: "OKP", Crv: "Ed25519", X: x, Kid: base64.RawURLEncoding.EncodeToString(sum[:]), Use: "sig", Alg: "EdDSA"}
}
