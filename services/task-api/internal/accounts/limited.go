package accounts

import (
	"context"
	"time"
)

// limitLines is how often the log says that one client is held back: a client that goes on is not to fill the log.
var limitLines = Rate{Burst: 1, Every: time.Minute}

// Limited logs that a request was refused because there were too many of its kind. userID may be "".
func (s *Service) Limited(ctx context.Context, route, userID string, by Client) {
	if _, ok := s.limited.Allow(by.key()); !ok {
		return
	}
	s.log.WarnContext(ctx, "refused too many requests of one client or for one account", "route", route, "user_id", userID, "address", by.Address())
}
