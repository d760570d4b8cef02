package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// minRSABits is the least length of an RSA key (RFC 7518, section 3.3).
const minRSABits = 2048

// publicKey is a key of a JWKS with the algorithms that it may be used with.
type publicKey struct {
	crypto.PublicKey
	algorithms []jose.SignatureAlgorithm
}

// parseKeySet returns the public signature keys of a JWKS (RFC 7517) by kid. It skips keys that are not usable here:
// secret ones, those for encryption, RSA keys that are too short, and kinds and algorithms that this program does not
// know.
func parseKeySet(raw []byte) (map[string]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	keys := map[string]publicKey{}
	for _, one := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(one, &k) != nil || !k.Valid() || !k.IsPublic() || (k.Use != "" && k.Use != "sig") {
			continue
		}
		if algorithms := algorithmsOf(k); len(algorithms) > 0 {
			keys[k.KeyID] = publicKey{k.Key, algorithms}
		}
	}
	return keys, nil
}

// algorithmsOf returns the algorithms that a key may be used with: its alg (RFC 7517, section 4.4), or those of its
// kind. An elliptic curve has one (RFC 7518, section 3.4).
func algorithmsOf(k jose.JSONWebKey) []jose.SignatureAlgorithm {
	var fit []jose.SignatureAlgorithm
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			fit = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
		}
	case *ecdsa.PublicKey:
		curves := map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}
		if alg, known := curves[key.Curve.Params().BitSize]; known {
			fit = []jose.SignatureAlgorithm{alg}
		}
	case ed25519.PublicKey:
		fit = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if k.Algorithm == "" {
		return fit
	}
	return slices.DeleteFunc(fit, func(alg jose.SignatureAlgorithm) bool { return string(alg) != k.Algorithm })
}
