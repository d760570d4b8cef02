package main

import (
	"context"
	"fmt"
	"net"
)

// listen opens both addresses, so that a port that is taken is said before anything else is done.
func listen(ctx context.Context, cfg settings) (public, app net.Listener, err error) {
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", cfg.HTTPAddr); err != nil {
		return nil, nil, fmt.Errorf("listen on HTTP_ADDR %s: %w", cfg.HTTPAddr, err)
	}
	if app, err = lc.Listen(ctx, "tcp", cfg.AppAddr); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("listen on APP_ADDR %s: %w", cfg.AppAddr, err)
	}
	return public, app, nil
}
