// Package httpapi is the public API of the task service: one table of routes in this file, and a file for each behaviour.
//
// Promises:
//   - A refusal names the part of the request that is not valid: the path, a parameter, a header or a member of the body. The
//     API ignores no parameter and no member.
//   - Users reach only their own tasks. The id of another user's task is answered with 404, like an id that does not exist.
//   - A write is answered with 2xx only after it and its events were committed.
package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/apierror"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tokens"
)

// Tasks are the use cases that the handlers call.
type Tasks interface {
	Create(ctx context.Context, r tasks.CreateRequest) (tasks.CreateAnswer, error)
	Get(ctx context.Context, userID, taskID string) (domain.Task, error)
	Change(ctx context.Context, r tasks.ChangeRequest) (tasks.OpResult, error)
	Batch(ctx context.Context, r tasks.BatchRequest) (tasks.BatchAnswer, error)
	List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error)
	Sync(ctx context.Context, userID string, since int64, limit int) (tasks.SyncPage, error)
	Tags(ctx context.Context, userID string) ([]tasks.TagCount, error)
	Stats(ctx context.Context, userID string) (tasks.Stats, error)
}

// Config has the dependencies and the settings of the routes.
type Config struct {
	Tasks     Tasks
	Accounts  *accounts.Service
	Tokens    *tokens.Service
	Verifier  auth.Tokens
	Issuer    string // the OIDC issuer that has the accounts; "" if this service has them
	JWKS      func() []byte
	CursorKey []byte
	OpenAPI   []byte // the API document, as JSON
	Now       func() time.Time
	Quotas    Quotas
	// RequestTimeout bounds the time of a request; 0 means requestTimeout.
	RequestTimeout time.Duration

	importPace pace // the zero value means the variable importPace
}

// requestTimeout is longer than the statements of any request take together, and shorter than the time limits of a gateway. If
// all connections to the database are in use, a request is answered with 503 after this time.
const requestTimeout = 15 * time.Second

// streams are the routes without requestTimeout, because their files take longer. Their handlers bound each step instead.
var streams = map[string]bool{"/api/v1/import": true, "/api/v1/export": true}

// access says who may call a route.
type access string

const (
	public access = "public" // anybody
	user   access = "user"   // the holder of an access token or an API token, on their own data
	login  access = "login"  // the holder of an access token, on their own account
)

type route struct {
	method, path string
	access       access
	handle       func(h *handlers, c *gin.Context) error
}

// routes has every public route except health and metrics.
var routes = []route{
	{http.MethodPost, "/api/v1/auth/register", public, (*handlers).register},
	{http.MethodPost, "/api/v1/auth/login", public, (*handlers).login},
	{http.MethodPost, "/api/v1/auth/refresh", public, (*handlers).refresh},
	{http.MethodPost, "/api/v1/auth/logout", public, (*handlers).logout},
	{http.MethodPost, "/api/v1/auth/verify-email", public, (*handlers).verifyEmail},
	{http.MethodPost, "/api/v1/auth/recover", public, (*handlers).recover},
	{http.MethodPost, "/api/v1/auth/reset-password", public, (*handlers).resetPassword},
	{http.MethodGet, "/api/v1/me", user, (*handlers).getMe},
	{http.MethodPatch, "/api/v1/me", user, (*handlers).patchMe},
	{http.MethodDelete, "/api/v1/me", login, (*handlers).deleteMe},
	{http.MethodPost, passwordRoute, login, (*handlers).changePassword},
	{http.MethodPost, verifyRoute, login, (*handlers).requestVerification},
	{http.MethodGet, sessionsRoute, login, (*handlers).listSessions},
	{http.MethodDelete, sessionsRoute, login, (*handlers).endSessions},
	{http.MethodDelete, sessionsRoute + "/:id", login, (*handlers).endSession},
	{http.MethodGet, tokensRoute, login, (*handlers).listTokens},
	{http.MethodPost, tokensRoute, login, (*handlers).createToken},
	{http.MethodDelete, tokensRoute, login, (*handlers).revokeTokens},
	{http.MethodDelete, tokensRoute + "/:id", login, (*handlers).revokeToken},

	{http.MethodPost, "/api/v1/tasks", user, (*handlers).createTask},
	{http.MethodGet, "/api/v1/tasks", user, (*handlers).listTasks},
	{http.MethodPost, `/api/v1/tasks\:batch`, user, (*handlers).batchTasks}, // \: is a colon; a bare one begins a parameter
	{http.MethodGet, "/api/v1/tasks/:id", user, (*handlers).getTask},
	{http.MethodPut, "/api/v1/tasks/:id", user, (*handlers).replaceTask},
	{http.MethodPatch, "/api/v1/tasks/:id", user, (*handlers).patchTask},
	{http.MethodDelete, "/api/v1/tasks/:id", user, (*handlers).deleteTask},
	{http.MethodPost, "/api/v1/tasks/:id/complete", user, (*handlers).completeTask},
	{http.MethodPost, "/api/v1/tasks/:id/reopen", user, (*handlers).reopenTask},
	{http.MethodPost, "/api/v1/tasks/:id/restore", user, (*handlers).restoreTask},
	{http.MethodPost, "/api/v1/tasks/:id/skip", user, (*handlers).skipTask},
	{http.MethodPost, "/api/v1/tasks/:id/move", user, (*handlers).moveTask},
	{http.MethodGet, "/api/v1/tasks/:id/occurrences", user, (*handlers).listOccurrences},
	{http.MethodPost, `/api/v1/recurrences\:preview`, user, (*handlers).previewRecurrence},

	{http.MethodGet, "/api/v1/tags", user, (*handlers).listTags},
	{http.MethodGet, "/api/v1/stats", user, (*handlers).getStats},
	{http.MethodGet, "/api/v1/sync", user, (*handlers).sync},

	{http.MethodPost, importPath, user, (*handlers).importTasks},
	{http.MethodGet, "/api/v1/export", user, (*handlers).exportTasks},

	{http.MethodGet, "/api/v1/openapi.json", public, (*handlers).openAPI},
	{http.MethodGet, "/.well-known/jwks.json", public, (*handlers).jwks},
	{http.MethodGet, "/", public, (*handlers).page},
	{http.MethodGet, "/docs", public, (*handlers).page},
	{http.MethodGet, "/docs/:file", public, (*handlers).page},
}

// These routes, and the ones below sessionsRoute and authRoutes, work only if this service has the accounts.
const (
	passwordRoute = "/api/v1/me/password"
	sessionsRoute = "/api/v1/me/sessions"
	tokensRoute   = "/api/v1/me/tokens"
	authRoutes    = "/api/v1/auth/"
)

type handlers struct {
	Config
	limits  limits
	imports *importSlots
	writes  *quota
	started *quota // imports
	cursors cursors
}

// Register adds the routes to the engine.
func Register(engine gin.IRouter, cfg Config) {
	h := &handlers{Config: cfg, limits: newLimits(cfg.Now), imports: newImportSlots(), cursors: cursors{cfg.CursorKey}}
	h.writes = newQuota(cfg.Quotas.Writes, time.Minute, "writes in a minute", cfg.Now)
	h.started = newQuota(cfg.Quotas.Imports, time.Hour, "imports in an hour", cfg.Now)
	if h.RequestTimeout <= 0 {
		h.RequestTimeout = requestTimeout
	}
	if h.importPace == (pace{}) {
		h.importPace = importPace
	}
	signedIn := auth.Middleware(cfg.Verifier)
	admitted := httpx.Wrap(func(c *gin.Context) error { return apierror.Of(h.admit(c)) })
	loggedIn := httpx.Wrap(requireLogin)
	counted := httpx.Wrap(func(c *gin.Context) error { return h.logged(c, h.countWrite(c)) })
	for _, r := range routes {
		if cfg.Issuer != "" && (r.path == passwordRoute || r.path == verifyRoute || strings.HasPrefix(r.path, sessionsRoute) || strings.HasPrefix(r.path, authRoutes)) {
			httpx.Handle(engine, r.method, r.path, noPasswords(cfg.Issuer))
			continue
		}
		chain := []gin.HandlerFunc{httpx.Wrap(func(c *gin.Context) error { return apierror.Of(h.logged(c, r.handle(h, c))) })}
		switch r.access {
		case public:
		case user:
			chain = append([]gin.HandlerFunc{signedIn, admitted, counted}, chain...)
		case login:
			if r.path == tokensRoute && r.method == http.MethodPost { // the others are what an owner stops a runaway script with
				chain = append([]gin.HandlerFunc{counted}, chain...)
			}
			chain = append([]gin.HandlerFunc{signedIn, loggedIn, admitted}, chain...)
		}
		if !streams[r.path] {
			chain = append([]gin.HandlerFunc{deadline(h.RequestTimeout)}, chain...)
		}
		httpx.Handle(engine, r.method, r.path, chain...)
	}
}

// logged returns err. It has the log say that a request was refused by a limit.
func (h *handlers) logged(c *gin.Context, err error) error {
	var limited *accounts.LimitError
	var refused *httpx.Error
	if errors.As(err, &limited) || errors.As(err, &refused) && refused.Code == httpx.CodeTooManyRequests {
		h.Accounts.Limited(c.Request.Context(), c.FullPath(), auth.UserID(c), clientOf(c))
	}
	return err
}

// deadline cancels the context of a request after limit. A transaction that is not committed by then is rolled back.
func deadline(limit time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), limit)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}
