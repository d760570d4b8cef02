package httpapi

import (
	"math"
	"net/http"

	"github.com/gin-gonic/gin"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

const textPlain = "text/plain; charset=utf-8"

// checkpoint handles GET /api/v1/audit/checkpoint: the signed head of the tree, in note format.
// While a new head cannot be signed, it is the newest one that was.
func (h handlers) checkpoint(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	signed, err := h.log.Checkpoint(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store") // an old head would look like a log that lost entries
	c.Data(http.StatusOK, textPlain, signed)
	return nil
}

// key handles GET /api/v1/audit/key: the public key of the checkpoints, in note format. An auditor keeps the first copy.
func (h handlers) key(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	key, err := h.log.VerifierKey(c.Request.Context())
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, textPlain, []byte(key+"\n"))
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
// tree with size entries. Without size the tree is the current one.
func (h handlers) inclusion(c *gin.Context) error {
	q := httpx.NewQuery(c)
	position, byPosition := q.Integer("position", 0, math.MaxInt64)
	which := domain.EntryRef{EventID: q.UUID("event_id"), Position: position}
	size, _ := q.Integer("size", 1, math.MaxInt64)
	if byPosition == (which.EventID != "") {
		q.Refuse("position", "or event_id must be given, but not both")
	}
	if err := q.Err(); err != nil {
		return err
	}
	proof, err := h.log.ProveInclusion(c.Request.Context(), scope(c), which, size)
	if err != nil {
		return err
	}
	if err := h.record(c, scope(c)); err != nil {
		return err
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

// consistency handles GET /api/v1/audit/proof/consistency: the proof that the tree with from entries is the beginning of
// the tree with to entries. Without to the second tree is the current one.
func (h handlers) consistency(c *gin.Context) error {
	q := httpx.NewQuery(c)
	from, given := q.Integer("from", 1, math.MaxInt64)
	to, _ := q.Integer("to", 1, math.MaxInt64)
	if !given {
		q.Refuse("from", "must be given")
	}
	if err := q.Err(); err != nil {
		return err
	}
	proof, err := h.log.ProveConsistency(c.Request.Context(), from, to)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, consistencyProof{
		From: proof.From, To: proof.To, FromRoot: proof.FromRoot, ToRoot: proof.ToRoot, Hashes: notNull(proof.Hashes),
	})
	return nil
}

// notNull makes an empty proof [] instead of null in JSON.
func notNull[P ~[]tlog.Hash](p P) P {
	if p == nil {
		return P{}
	}
	return p
}
