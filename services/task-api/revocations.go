package main

import (
	"context"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/revocation"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// revocations is the source of this process's own set: the database, which the other services ask through
// /internal/revocations.
type revocations struct{ users *accounts.Service }

// Revocations implements revocation.Source.
func (r revocations) Revocations(ctx context.Context, since time.Time, after string, limit int) (revocation.Page, error) {
	found, err := r.users.Revocations(ctx, since, after, limit)
	if err != nil {
		return revocation.Page{}, err
	}
	page := revocation.Page{Items: make([]auth.Revocation, len(found.Items)), Next: found.Next, More: found.HasMore}
	for i, item := range found.Items {
		page.Items[i] = revocationOf(item)
	}
	return page, nil
}

func revocationOf(r accounts.Revocation) auth.Revocation {
	return auth.Revocation{Kind: auth.RevocationKind(r.Kind), ID: r.ID, UserID: r.UserID, Role: r.Role, At: r.At, AddedAt: r.AddedAt}
}
