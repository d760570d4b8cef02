package events

// Validate implements Event.
func (e TaskEvent) Validate() error { return nil }

// Validate implements Event.
func (e TaskUpdateEvent) Validate() error { return nil }

// Validate implements Event.
func (e ReminderEvent) Validate() error { return nil }

// Validate implements Event.
func (e NotificationEvent) Validate() error { return nil }
