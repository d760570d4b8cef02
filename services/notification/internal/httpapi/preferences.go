package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

type preferences struct {
	Channels   *[]string   `json:"channels"`
	QuietHours *quietHours `json:"quiet_hours"`
}

type quietHours struct {
	Start    string `json:"start"`
	End      string `json:"end"`
	Timezone string `json:"timezone"`
}

func newPreferences(p domain.Preferences) preferences {
	channels := p.Channels()
	out := preferences{Channels: &channels}
	if q := p.Quiet; q != nil {
		out.QuietHours = &quietHours{Start: q.StartClock(), End: q.EndClock(), Timezone: q.Zone.String()}
	}
	return out
}

// preferences handles GET /api/v1/preferences.
func (h handlers) preferences(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	p, err := h.mailbox.Preferences(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newPreferences(p))
	return nil
}

// savePreferences handles PUT /api/v1/preferences: it replaces all preferences. channels is ["in_app"] or []; with [] the
// notifications are only listed. quiet_hours is null or absent for none.
func (h handlers) savePreferences(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	var body preferences
	if err := httpx.DecodeJSON(c, &body); err != nil {
		return err
	}
	p, err := body.read()
	if err != nil {
		return err
	}
	if err := h.mailbox.SavePreferences(c.Request.Context(), auth.UserID(c), p); err != nil {
		return err
	}
	c.JSON(http.StatusOK, newPreferences(p))
	return nil
}

func (body preferences) read() (domain.Preferences, error) {
	var p domain.Preferences
	if body.Channels == nil {
		return p, httpx.Unprocessable("channels", "is missing")
	}
	for _, name := range *body.Channels {
		switch {
		case name != domain.ChannelInApp:
			return p, httpx.Unprocessable("channels", "may contain only in_app")
		case p.InApp:
			return p, httpx.Unprocessable("channels", "must not contain a channel twice")
		}
		p.InApp = true
	}
	if q := body.QuietHours; q != nil {
		var err error
		if p.Quiet, err = domain.NewQuietHours(q.Start, q.End, q.Timezone); err != nil {
			return p, err
		}
	}
	return p, nil
}
