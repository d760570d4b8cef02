package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

const (
	// maxKeySet bounds a key set in bytes. A dozen RSA keys with certificates are smaller.
	maxKeySet = 1 << 20
	// maxSubject bounds sub in bytes (OpenID Connect Core 1.0, section 2).
	maxSubject = 255
)

// signatures are the accepted algorithms: those with a public key. "none" and MACs are refused even when the issuer's
// discovery document offers them.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// userNamespace is the namespace of the UUIDv5 of an issuer's users. It must never change.
var userNamespace = uuid.MustParse("3c6c0f0e-8a53-4f0b-9d0c-5b7e3a2f9c11")

// OIDC names an OpenID Connect issuer. The zero value names none.
type OIDC struct {
	Issuer    string // its URL, as in the iss claim of its tokens
	Audience  string // the value that the aud claim of its access tokens must contain
	RoleClaim string // the claim that holds roles; "" when all users have the role user
}

// External holds what an issuer's token says about its user. The fields other than Issuer and Subject may be empty and
// are not verified.
type External struct {
	Issuer, Subject       string
	Email, Name, Timezone string
	IssuedAt              time.Time
	// LoggedInAt is when the user last logged in: auth_time, or IssuedAt for an issuer that does not write it.
	LoggedInAt time.Time
}

// Issuer checks the access tokens (JWT) of an OIDC issuer. It is safe for concurrent use and promises:
//   - iss, aud, exp, nbf and iat are checked, and the signature with a key that the issuer publishes. Only algorithms with
//     a public key are accepted, and of those only the key's own (its alg, or those of its kind).
//   - Only access tokens are accepted: an ID token of the same issuer and user is refused.
//   - Keys are found by discovery (OpenID Connect Discovery 1.0). They are fetched for the first token, and again for an
//     unknown kid or after maxKeysAge, at most once every refetchInterval. So a new key works at once, and a removed key
//     stops working.
//   - The user's id is a UUIDv5 of (iss, sub). It is the same in every service and never changes.
type Issuer struct {
	*keyCache[publicKey]
	cfg OIDC
}

// NewIssuer makes a verifier for an issuer's tokens. It fetches nothing yet: the issuer may be away.
func NewIssuer(cfg OIDC, log *slog.Logger) *Issuer {
	client := &http.Client{Timeout: fetchTimeout}
	return &Issuer{cfg: cfg, keyCache: newKeyCache(func(ctx context.Context) (map[string]publicKey, error) {
		return discover(ctx, client, cfg.Issuer)
	}, log)}
}

// UserIDOf returns the id of an issuer's user.
func UserIDOf(issuer, subject string) string {
	return uuid.NewSHA1(userNamespace, []byte(issuer+"\x00"+subject)).String()
}

// Verify checks a token. Its error wraps ErrInvalid or ErrUnavailable.
func (i *Issuer) Verify(ctx context.Context, token string) (Identity, error) {
	return i.once(token, func() (Identity, error) { return i.check(ctx, token) })
}

func (i *Issuer) check(ctx context.Context, token string) (Identity, error) {
	jws, err := jose.ParseSignedCompact(token, signatures)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	key, err := i.key(ctx, jws.Signatures[0].Header.KeyID)
	if errors.Is(err, ErrUnavailable) {
		return Identity{}, err
	}
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	algorithms := make([]string, len(key.algorithms))
	for n, a := range key.algorithms {
		algorithms[n] = string(a)
	}
	verifier := oidc.NewVerifier(i.cfg.Issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key.PublicKey}},
		&oidc.Config{ClientID: i.cfg.Audience, SupportedSigningAlgs: algorithms, Now: i.now})
	checked, err := verifier.Verify(ctx, token)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	typ, _ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	return i.identity(typ, checked)
}

// identity reads the claims of a token whose signature, issuer, audience and times were checked. typ is its header.
func (i *Issuer) identity(typ string, t *oidc.IDToken) (Identity, error) {
	switch {
	case t.Subject == "" || len(t.Subject) > maxSubject:
		return Identity{}, fmt.Errorf("%w: its subject is empty or too long", ErrInvalid)
	case t.IssuedAt.After(i.now().Add(leeway)):
		return Identity{}, fmt.Errorf("%w: it is from the future", ErrInvalid)
	}
	// A claim with another type than expected counts as missing: only iss and sub identify the user.
	var all map[string]json.RawMessage
	if err := t.Claims(&all); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := checkAccessToken(typ, all); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	text := func(name string) (s string) { _ = json.Unmarshal(all[name], &s); return s }
	// cfg.Issuer instead of the claim: go-oidc accepts a second spelling of Google's, and the id must not depend on it.
	who := &External{
		Issuer: i.cfg.Issuer, Subject: t.Subject, Name: text("name"), Timezone: text("zoneinfo"), IssuedAt: t.IssuedAt,
		LoggedInAt: t.IssuedAt,
	}
	var loggedIn int64
	if json.Unmarshal(all["auth_time"], &loggedIn) == nil && loggedIn < t.IssuedAt.Unix() {
		who.LoggedInAt = time.Unix(loggedIn, 0)
	}
	if string(all["email_verified"]) != "false" {
		who.Email = text("email")
	}
	id := Identity{UserID: UserIDOf(i.cfg.Issuer, t.Subject), Role: RoleUser, IssuedAt: t.IssuedAt, ExpiresAt: t.Expiry, External: who}
	if claim := all[i.cfg.RoleClaim]; i.cfg.RoleClaim != "" && hasRole(claim, RoleAuditor) {
		id.Role = RoleAuditor
	}
	return id, nil
}

func hasRole(claim json.RawMessage, role string) bool {
	var one string
	if json.Unmarshal(claim, &one) == nil {
		return one == role
	}
	var many []string
	return json.Unmarshal(claim, &many) == nil && slices.Contains(many, role)
}

// discover fetches the issuer's keys. It reads the discovery document each time: an issuer may move its keys.
func discover(ctx context.Context, client *http.Client, issuer string) (map[string]publicKey, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return nil, fmt.Errorf("discover the OIDC issuer: %w", err)
	}
	var document struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, fmt.Errorf("read the OIDC issuer's document: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, document.JWKS, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the OIDC issuer's jwks_uri: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch the OIDC issuer's keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch the OIDC issuer's keys: status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
	if err != nil {
		return nil, fmt.Errorf("read the OIDC issuer's keys: %w", err)
	}
	keys, err := parseKeySet(raw)
	if err != nil {
		return nil, fmt.Errorf("the OIDC issuer's keys: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("the OIDC issuer has published no key for signatures")
	}
	return keys, nil
}
