package httpapi

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

const textPlain = "text/plain; charset=utf-8"

// checkpoint handles GET /api/v1/audit/checkpoint: the signed head of the tree, in note format.
func (h handler) checkpoint(c *gin.Context) error {
	if err := newParams(c, nil).done(); err != nil {
		return err
	}
	signed, err := h.log.Checkpoint(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store") // a stale head looks like a log that lost entries
	c.Data(http.StatusOK, textPlain, signed)
	return nil
}

// key handles GET /api/v1/audit/key: the public key of the checkpoints, in note format. An auditor keeps its first copy.
func (h handler) key(c *gin.Context) error {
	if err := newParams(c, nil).done(); err != nil {
		return err
	}
	c.Data(http.StatusOK, textPlain, []byte(h.log.VerifierKey()+"\n"))
	return nil
}

type inclusionProof struct {
	Position int64            `json:"position"`
	EventID  string           `json:"event_id"`
	Size     int64            `json:"size"`
	LeafHash tlog.Hash        `json:"leaf_hash"`
	RootHash tlog.Hash        `json:"root_hash"`
	Hashes   tlog.RecordProof `json:"hashes"`
}

// inclusion handles GET /api/v1/audit/proof/inclusion: the proof that the entry with event_id, or at position, is in the
// tree of size (as it is now where size is left out).
func (h handler) inclusion(c *gin.Context) error {
	p := newParams(c, nil, "position", "event_id", "size")
	position, byPosition := p.number("position", 0)
	which := domain.Which{EventID: p.uuid("event_id"), Position: position}
	size, _ := p.number("size", 1)
	if byPosition == (which.EventID != "") {
		p.fail("position", "or event_id has to be given, and not both")
	}
	if err := p.done(); err != nil {
		return err
	}
	proof, err := h.log.ProveInclusion(c.Request.Context(), scope(c), which, size)
	if err != nil {
		return asAnswer(err)
	}
	c.JSON(http.StatusOK, inclusionProof{
		Position: proof.Entry.Position, EventID: proof.Entry.EventID, Size: proof.Size, LeafHash: proof.Entry.LeafHash,
		RootHash: proof.Root, Hashes: notNull(proof.Hashes),
	})
	return nil
}

type consistencyProof struct {
	From     int64          `json:"from"`
	To       int64          `json:"to"`
	FromRoot tlog.Hash      `json:"from_root_hash"`
	ToRoot   tlog.Hash      `json:"to_root_hash"`
	Hashes   tlog.TreeProof `json:"hashes"`
}

// consistency handles GET /api/v1/audit/proof/consistency: the proof that the tree of size from is the beginning of the
// tree of size to (as it is now where to is left out).
func (h handler) consistency(c *gin.Context) error {
	p := newParams(c, nil, "from", "to")
	from, given := p.number("from", 1)
	to, _ := p.number("to", 1)
	if !given {
		p.fail("from", "is needed")
	}
	if err := p.done(); err != nil {
		return err
	}
	proof, err := h.log.ProveConsistency(c.Request.Context(), from, to)
	if err != nil {
		return asAnswer(err)
	}
	c.JSON(http.StatusOK, consistencyProof{
		From: proof.From, To: proof.To, FromRoot: proof.FromRoot, ToRoot: proof.ToRoot, Hashes: notNull(proof.Hashes),
	})
	return nil
}

// notNull makes an empty proof [] in JSON.
func notNull[P ~[]tlog.Hash](p P) P {
	if p == nil {
		return P{}
	}
	return p
}

// asAnswer gives the domain's errors their status; others are for the one wrapper.
func asAnswer(err error) error {
	var size *domain.SizeError
	switch {
	case errors.As(err, &size):
		return httpx.Unprocessable(size.Field, size.Reason)
	case errors.Is(err, domain.ErrNotFound):
		return httpx.NotFound("There is no such audit entry.")
	}
	return err
}
