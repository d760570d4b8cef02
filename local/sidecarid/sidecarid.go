// Package sidecarid makes the tokens by which sidecars prove to sentry which app they belong to. In Kubernetes a pod's
// service account is that proof. Elsewhere sentry knows nobody, so the program that starts the sidecars tells it.
//
// A token is a JWT that names the app's SPIFFE id and sentry's, as Dapr's validator `jwks` wants it. The private key that signs
// the tokens lives only as long as Issue runs: nobody can make another token later, and each Issue makes the tokens of the one
// before useless. A sidecar reads its file again before each certificate, so a running one takes the new token.
package sidecarid

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/taskwire/taskwire/local/atomicfile"
)

// The identities. They are those of a cluster, because dapr-components/configuration.yaml names them for both.
const (
	TrustDomain = "public"   // of the apps
	Namespace   = "taskwire" // of the apps; a sidecar takes it from its variable NAMESPACE

	ControlPlaneTrustDomain = "cluster.local" // of sentry
	ControlPlaneNamespace   = "dapr-system"   // of sentry, from its variable NAMESPACE
)

const (
	// life of a token. It has to be longer than any run, because a sidecar without a valid token loses its certificate within
	// 24 h. A stolen token dies earlier, at the next Issue.
	life = 10 * 365 * 24 * time.Hour
	// backdate is for a sentry whose clock is behind.
	backdate = 5 * time.Minute
)

// SPIFFE returns the SPIFFE id of an app.
func SPIFFE(app string) string { return "spiffe://" + TrustDomain + "/ns/" + Namespace + "/" + app }

// sentryID is the audience of a token.
const sentryID = "spiffe://" + ControlPlaneTrustDomain + "/ns/" + ControlPlaneNamespace + "/dapr-sentry"

// Issue writes a token for each app into the app's file, which only the owner can read, and the public key into the file
// jwks. The key is there before the tokens: a sidecar never has a token that sentry cannot know.
func Issue(jwks string, tokens map[string]string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key for the sidecars' tokens: %w", err)
	}
	kid := encode(public[:8])
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "x": encode(public), "kid": kid, "alg": "EdDSA", "use": "sig",
	}}})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(jwks), 0o755); err != nil {
		return fmt.Errorf("the public key of the sidecars' tokens: %w", err)
	}
	if err := atomicfile.Write(jwks, set, 0o644); err != nil {
		return fmt.Errorf("the public key of the sidecars' tokens: %w", err)
	}
	for app, file := range tokens {
		token, err := sign(private, kid, app)
		if err != nil {
			return fmt.Errorf("the token of %s: %w", app, err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("the token of %s: %w", app, err)
		}
		if err := atomicfile.Write(file, []byte(token), 0o600); err != nil {
			return fmt.Errorf("the token of %s: %w", app, err)
		}
	}
	return nil
}

// sign returns a JWT (RFC 7519) with an Ed25519 signature (RFC 8037).
func sign(key ed25519.PrivateKey, kid, app string) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "EdDSA", "typ": "JWT", "kid": kid})
	if err != nil {
		return "", err
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"sub": SPIFFE(app), "aud": sentryID, "iat": now.Add(-backdate).Unix(), "exp": now.Add(life).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := encode(header) + "." + encode(claims)
	return signed + "." + encode(ed25519.Sign(key, []byte(signed))), nil
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
