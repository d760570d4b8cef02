package domain

// Preferences are the settings of a user for notifications.
type Preferences struct {
	InApp bool        // push to open browsers; the notification is listed in any case
	Quiet *QuietHours // nil: none
}

// DefaultPreferences returns the preferences of a user who has not set any.
func DefaultPreferences() Preferences { return Preferences{InApp: true} }

// Channels returns the names of the channels that are on.
func (p Preferences) Channels() []string {
	if p.InApp {
		return []string{ChannelInApp}
	}
	return []string{}
}
