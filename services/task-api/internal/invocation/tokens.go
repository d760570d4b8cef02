package invocation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/service"
)

// lookupToken handles POST /internal/tokens:lookup. It answers 200 for every hash, without a token if no token has it. The hash of a
// token opens nothing: a service sends it, so that the text of a token does not travel on.
func (h *handlers) lookupToken(c *gin.Context) error {
	body, err := io.ReadAll(c.Request.Body) // bounded by the server
	if err != nil {
		return err
	}
	var asked service.LookupRequest
	// Not strict: another version of the caller may send more members.
	if err := json.Unmarshal(body, &asked); err != nil {
		return &httpx.Error{Code: httpx.CodeInvalid, Message: "The body is not that of a look-up.", Err: err}
	}
	hash, err := hex.DecodeString(asked.Hash)
	if err != nil || len(hash) != sha256.Size {
		return httpx.Unprocessable("hash", "must be 32 bytes in hex")
	}
	found, err := h.tokens.Find(c.Request.Context(), [sha256.Size]byte(hash))
	switch {
	case errors.Is(err, auth.ErrNoToken):
		c.JSON(http.StatusOK, service.LookupAnswer{})
	case err != nil:
		return err
	default:
		c.JSON(http.StatusOK, service.LookupAnswer{Token: &found})
	}
	return nil
}
