package accounts

import (
	"context"
	"crypto/sha256"
	"time"
)

// This file decides which devices an account knows. A stranger cannot use one, so a request from a known device is never slowed
// down by the wrong passwords of strangers.

const (
	// MaxDevices bounds the known devices of an account. A person has fewer; the one that was used longest ago is forgotten.
	MaxDevices = 20
	// DeviceLifetime is the time after which an unused device is unknown again. Providers give an address to other customers.
	DeviceLifetime = 90 * 24 * time.Hour
)

// Device is the address from which an account was used, as a hash with the account's id: all devices have one size, whatever a
// later kind of device is.
type Device [sha256.Size]byte

// Devices keeps the devices of accounts.
type Devices interface {
	// KnowsDevice reports whether the user has logged in with the device since then. The user may not exist.
	KnowsDevice(ctx context.Context, userID string, d Device, since time.Time) (bool, error)
	// RememberDevice records a log-in with the device, and forgets those that were used longest ago beyond the newest keep.
	RememberDevice(ctx context.Context, userID string, d Device, now time.Time, keep int) error
	// ForgetDevices forgets all devices of the user.
	ForgetDevices(ctx context.Context, userID string) error
}

// deviceOf returns the device from which the client uses the account. IPv6 addresses of one /64 are one device.
func deviceOf(userID string, by Client) Device {
	return sha256.Sum256([]byte("address\x00" + userID + "\x00" + by.key()))
}

// remember records a log-in. The log-in is valid without it, so an error is only logged.
func (s *Service) remember(ctx context.Context, userID string, by Client) {
	if err := s.store.RememberDevice(ctx, userID, deviceOf(userID, by), s.now(), MaxDevices); err != nil {
		s.log.WarnContext(ctx, "the device of a log-in is not remembered", "user_id", userID, "error", err.Error())
	}
}

// nobody is the id of no user. It is looked up for an e-mail without an account, so that the work is the same.
const nobody = "00000000-0000-0000-0000-000000000000"

// guess checks a password in its turn. account is what wrong passwords are counted by. For an account that does not exist, userID
// and hash are "": the answer is false after the same work. The error is a *LimitError, ErrBusy or another one of the check.
func (s *Service) guess(ctx context.Context, account, userID, hash, password string, by Client) (ok bool, err error) {
	if userID == "" {
		userID = nobody
	}
	known, err := s.store.KnowsDevice(ctx, userID, deviceOf(userID, by), s.now().Add(-DeviceLifetime))
	if err != nil {
		return false, err
	}
	turn := s.hasher.Turn(by.key(), known)
	if !known {
		if err := s.brake.wait(ctx, account, turn); err != nil {
			return false, err
		}
	}
	ok, err = s.hasher.Check(ctx, turn, hash, password)
	if err == nil && !ok && !known {
		s.brake.failed(account)
	}
	return ok, err
}
