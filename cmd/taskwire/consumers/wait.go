package consumers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// pollInterval is short compared with the second within which a sidecar commits what it has delivered.
const pollInterval = 200 * time.Millisecond

// WaitProcessed waits until each consumer has acknowledged what its topic holds now. If ctx ends first, the error names the
// consumers that are behind. It is ErrNoTopic for a topic that does not exist.
func (c *Client) WaitProcessed(ctx context.Context) error {
	ends, err := c.ends(ctx)
	if err != nil {
		return err
	}
	var behind []string
	for {
		now, err := c.behind(ctx, ends)
		switch {
		case err != nil && ctx.Err() != nil && len(behind) > 0: // the time ended within a question: the last answer counts
		case err != nil:
			return err
		case len(now) == 0:
			return nil
		default:
			behind = now
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", strings.Join(behind, ", "), ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// behind describes each consumer that has not acknowledged everything up to ends.
func (c *Client) behind(ctx context.Context, ends kadm.ListedOffsets) (all []string, err error) {
	read, err := c.progress(ctx)
	if err != nil {
		return nil, err
	}
	for _, consumer := range All() {
		n, err := read.lag(consumer, ends)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			all = append(all, fmt.Sprintf("%s has not processed %d events of %s", consumer.Group, n, consumer.Topic))
		}
	}
	return all, nil
}
