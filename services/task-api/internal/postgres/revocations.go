package postgres

// This file reads the revocations.

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"gorm.io/gorm"
)

// maxEndedSessions bounds the ended sessions in a read of a user's changes. The newest are read: those that a service may not have
// heard of yet.
const maxEndedSessions = 1000

// revocationPlace is a row's place in the order of the pages.
type revocationPlace struct {
	AddedAt  time.Time
	Kind, ID string
}

// cursor returns the place as text.
func (p revocationPlace) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.AddedAt.UTC().Format(time.RFC3339Nano) + " " + p.Kind + " " + p.ID))
}

// parsePlace parses a cursor.
func parsePlace(cursor string) (revocationPlace, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return revocationPlace{}, accounts.ErrCursor
	}
	parts := strings.Split(string(raw), " ")
	if len(parts) != 3 {
		return revocationPlace{}, accounts.ErrCursor
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil || uuid.Validate(parts[2]) != nil || strings.IndexByte(parts[1], 0) >= 0 {
		return revocationPlace{}, accounts.ErrCursor
	}
	return revocationPlace{at, parts[1], parts[2]}, nil
}

// Revocations implements accounts.Store. The order is that of added_at, which is not the order of the commits: a row can appear
// before one that was read. So a reader must ask again for the last seconds, as long as a transaction may take.
func (s *Store) Revocations(ctx context.Context, since time.Time, after string, limit int) (accounts.RevocationPage, error) {
	page := accounts.RevocationPage{Items: []accounts.Revocation{}, Next: after}
	query := s.db.WithContext(ctx).Table("revocations").Select("kind, id, user_id, role, at, added_at").Order("added_at, kind, id").Limit(limit + 1)
	if !since.IsZero() {
		query = query.Where("added_at >= ?", since)
	}
	if after != "" {
		place, err := parsePlace(after)
		if err != nil {
			return accounts.RevocationPage{}, err
		}
		query = query.Where("(added_at, kind, id) > (?, ?, ?)", place.AddedAt, place.Kind, place.ID)
	}
	var rows []accounts.Revocation
	if err := query.Find(&rows).Error; err != nil {
		return accounts.RevocationPage{}, fmt.Errorf("read revocations: %w", err)
	}
	if page.HasMore = len(rows) > limit; page.HasMore {
		rows = rows[:limit]
	}
	for _, r := range rows {
		r.At, r.AddedAt = r.At.UTC(), r.AddedAt.UTC()
		page.Items = append(page.Items, r)
		page.Next = revocationPlace{r.AddedAt, r.Kind, r.ID}.cursor()
	}
	return page, nil
}

// endedSessions returns those sessions of the user, newest first, that ended while their access tokens may still be valid.
func endedSessions(tx *gorm.DB, userID string, now time.Time) ([]string, error) {
	ids := []string{}
	err := tx.Raw(`SELECT id FROM revocations WHERE kind = 'session' AND user_id = ? AND at > ? ORDER BY at DESC LIMIT ?`,
		userID, now.Add(-auth.AccessTokenLife-accounts.RevocationMargin), maxEndedSessions).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("read ended sessions: %w", err)
	}
	return ids, nil
}
