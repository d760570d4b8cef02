package service

import (
	"context"
	"fmt"
	"net"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

// listeners are the open ports of the two sides of a service.
type listeners struct{ public, app net.Listener }

// listen opens both ports, so that a port that is taken is reported before the service does anything else.
func listen(ctx context.Context, cfg config.Base) (l listeners, err error) {
	var lc net.ListenConfig
	if l.public, err = lc.Listen(ctx, "tcp", cfg.HTTPAddr); err != nil {
		return listeners{}, fmt.Errorf("listen on HTTP_ADDR %s: %w", cfg.HTTPAddr, err)
	}
	if l.app, err = lc.Listen(ctx, "tcp", cfg.AppAddr); err != nil {
		l.public.Close()
		return listeners{}, fmt.Errorf("listen on APP_ADDR %s: %w", cfg.AppAddr, err)
	}
	if hook, ok := ctx.Value(listenHook{}).(func(public, app net.Addr)); ok {
		hook(l.public.Addr(), l.app.Addr())
	}
	return l, nil
}

func (l listeners) close() {
	l.public.Close()
	l.app.Close()
}

type listenHook struct{}

// WithListenHook returns a context in which Start calls hook with the addresses of the public side and the Dapr side as
// soon as both ports are open. Tests use it to listen on port 0.
func WithListenHook(ctx context.Context, hook func(public, app net.Addr)) context.Context {
	return context.WithValue(ctx, listenHook{}, hook)
}
