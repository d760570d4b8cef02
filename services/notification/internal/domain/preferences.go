package domain

// Preferences are how a user wants to be notified.
type Preferences struct {
	InApp bool        // push to open browsers; the notification is listed in any case
	Quiet *QuietHours // nil: none
}

// DefaultPreferences are those of a user who has set none.
func DefaultPreferences() Preferences { return Preferences{InApp: true} }

// Channels returns the names of the channels that are on.
func (p Preferences) Channels() []string {
	if p.InApp {
		return []string{ChannelInApp}
	}
	return []string{}
}
