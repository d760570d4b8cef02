// Package invocation has the routes of the signer that the audit service calls through Dapr. Every route requires the API
// token of our sidecar, and the sidecars' access control lets only the app audit call them.
//
//	route                       answer
//	GET  /internal/checkpoint   the last signed checkpoint and the public key
//	POST /internal/checkpoints  the signed checkpoint of the body's size and root
package invocation

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit-signer/internal/domain"
)

const (
	// maxProof is more hashes than a proof for 2^63 entries has.
	maxProof = 128
	// retryNotBegun is the Retry-After of a signer that waits for an operator.
	retryNotBegun = 30 * time.Second
)

// Signer is the part of the domain that the routes call.
type Signer interface {
	Sign(r domain.Request) ([]byte, error)
	Last() ([]byte, error)
	VerifierKey() string
}

// Server receives service invocations.
type Server interface {
	Invoke(method, path string, h func(*gin.Context) error)
}

type handlers struct {
	signer Signer
	log    *slog.Logger
}

// Register adds the routes to the server.
func Register(s Server, signer Signer, log *slog.Logger) {
	h := handlers{signer, log}
	s.Invoke(http.MethodGet, "/internal/checkpoint", h.last)
	s.Invoke(http.MethodPost, "/internal/checkpoints", h.sign)
}

// answer is the body of 200 and 409.
type answer struct {
	Checkpoint string `json:"checkpoint"` // the signed note; "" before the first one
	Key        string `json:"verifier_key"`
}

func (h handlers) answer(signed []byte) answer {
	return answer{Checkpoint: string(signed), Key: h.signer.VerifierKey()}
}

func (h handlers) last(c *gin.Context) error {
	signed, err := h.signer.Last()
	if err != nil {
		return h.problem(err)
	}
	c.JSON(http.StatusOK, h.answer(signed))
	return nil
}

// request is the body of POST /internal/checkpoints.
type request struct {
	From  int64       `json:"from"`
	Size  int64       `json:"size"`
	Root  *tlog.Hash  `json:"root"`
	Proof []tlog.Hash `json:"proof"`
}

// sign handles POST /internal/checkpoints. It answers 409 with the last checkpoint to a caller who does not know it, 422 when
// the log does not begin with the one of the last checkpoint, and 503 while the signer has not begun. It is idempotent.
func (h handlers) sign(c *gin.Context) error {
	raw, err := io.ReadAll(c.Request.Body) // bounded by the server
	if err != nil {
		return err
	}
	var r request
	// Not strict: another version of the caller sends more members.
	if err := json.Unmarshal(raw, &r); err != nil || r.Root == nil || len(r.Proof) > maxProof {
		return &httpx.Error{Code: httpx.CodeInvalid, Message: "The body is not that of a checkpoint to sign.", Err: err}
	}
	signed, err := h.signer.Sign(domain.Request{From: r.From, Size: r.Size, Root: *r.Root, Proof: r.Proof})
	var stale *domain.StaleError
	switch {
	case errors.As(err, &stale):
		c.JSON(http.StatusConflict, h.answer(stale.Last))
		return nil
	case err != nil:
		return h.problem(err)
	}
	h.log.InfoContext(c.Request.Context(), "checkpoint signed", "size", r.Size)
	c.JSON(http.StatusOK, h.answer(signed))
	return nil
}

// problem gives the domain's errors their status.
func (h handlers) problem(err error) error {
	var refused *domain.RefusedError
	switch {
	case errors.As(err, &refused):
		h.log.Error("a checkpoint was refused: the audit log is not the one that was signed", "reason", refused.Reason)
		return httpx.Unprocessable("root", refused.Reason)
	case errors.Is(err, domain.ErrNotBegun):
		return httpx.Unavailable("The signer waits for an operator to say where it begins.", retryNotBegun, err)
	}
	return err
}
