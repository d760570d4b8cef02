package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// This file tells an issuer's access tokens from its other tokens, which have the same signature and often the same
// audience. An ID token is for the client that logged the user in. A client that sends it to an API, or leaks it, must
// not open the user's tasks with it (RFC 9068, section 5; RFC 8725, section 3.12).

// typAccessToken is the typ header of an access token (RFC 9068, section 2.1), without the prefix "application/".
const typAccessToken = "at+jwt"

// notAccess are claims that only other kinds of token have: nonce, at_hash, c_hash and s_hash are those of ID tokens
// (OpenID Connect Core 1.0, sections 2 and 3.3.2.11; FAPI 1.0), events is that of logout and security event tokens
// (RFC 8417).
var notAccess = []string{"nonce", "at_hash", "c_hash", "s_hash", "events"}

// grants are claims that name what a token allows, or the client that may use it. An ID token has none of them: scope and
// client_id (RFC 9068, section 2.2), scp (Entra ID, Okta), cid (Okta), and token_use (Cognito, where it must be "access").
var grants = []string{"scope", "client_id", "scp", "cid", "token_use"}

// checkAccessToken returns an error for a token that is not an access token. typ is the token's header.
//
// Few issuers write typ "at+jwt". So a plain JWT is accepted if its claims show that it is an access token.
func checkAccessToken(typ string, claims map[string]json.RawMessage) error {
	for _, name := range notAccess {
		if _, there := claims[name]; there {
			return fmt.Errorf("it has the claim %s, which no access token has", name)
		}
	}
	// Keycloak names the kind of token in a claim: "ID", "Refresh", "Offline", "Logout" or "Bearer".
	if kind, there := claims["typ"]; there && !isText(kind, "Bearer") && !isText(kind, typAccessToken) {
		return errors.New("its claim typ is that of another kind of token")
	}
	if kind, there := claims["token_use"]; there && !isText(kind, "access") {
		return errors.New("its claim token_use is that of another kind of token")
	}
	switch typ = strings.TrimPrefix(strings.ToLower(typ), "application/"); typ {
	case typAccessToken:
		return nil
	case "", "jwt":
		for _, name := range grants {
			if _, there := claims[name]; there {
				return nil
			}
		}
		return errors.New("it may be an ID token: it has neither typ at+jwt nor one of the claims " + strings.Join(grants, ", "))
	}
	return fmt.Errorf("its typ is %q instead of at+jwt", typ)
}

func isText(claim json.RawMessage, want string) bool {
	var s string
	return json.Unmarshal(claim, &s) == nil && strings.EqualFold(s, want)
}
