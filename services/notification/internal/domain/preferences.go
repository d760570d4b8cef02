package domain

// Preferences are how a user wants to be notified.
type Preferences struct {
	InApp bool        // push to open browsers; the list has the notification either way
	Quiet *QuietHours // nil: none
}

// DefaultPreferences are those of a user who has set none.
func DefaultPreferences() Preferences { return Preferences{InApp: true} }

// Channels are the channels that are on, by name.
func (p Preferences) Channels() []string {
	if p.InApp {
		return []string{ChannelInApp}
	}
	return []string{}
}
