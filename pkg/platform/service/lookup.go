package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// LookupRoute is the route of the task API's personal API tokens on its Dapr side.
const LookupRoute = "/internal/tokens:lookup"

// LookupRequest is the body of a look-up.
type LookupRequest struct {
	Hash string `json:"hash"` // SHA-256 of the token, in hex
}

// LookupAnswer is the answer to a look-up. It has no token for a hash that no token has: the route never answers 404, which is the
// answer of a version without it.
type LookupAnswer struct {
	Token *auth.PersonalToken `json:"token"`
}

// invoker is the part of the Dapr client that invokes.
type invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// lookup finds personal API tokens through the sidecar.
func lookup(sidecar invoker) auth.Lookup {
	return func(ctx context.Context, hash [sha256.Size]byte) (auth.PersonalToken, error) {
		_, raw, err := sidecar.Invoke(ctx, taskAPI, http.MethodPost, LookupRoute, LookupRequest{hex.EncodeToString(hash[:])})
		if err != nil {
			return auth.PersonalToken{}, fmt.Errorf("ask the task API: %w", err)
		}
		var members map[string]json.RawMessage
		var answer LookupAnswer
		if err := errors.Join(json.Unmarshal(raw, &members), json.Unmarshal(raw, &answer)); err != nil {
			return auth.PersonalToken{}, fmt.Errorf("decode the answer to POST %s: %w", LookupRoute, err)
		}
		switch _, there := members["token"]; {
		case !there: // not an answer of this route: nothing is known
			return auth.PersonalToken{}, fmt.Errorf("the answer to POST %s has no token", LookupRoute)
		case answer.Token == nil:
			return auth.PersonalToken{}, auth.ErrNoToken
		}
		return *answer.Token, nil
	}
}
