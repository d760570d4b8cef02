package accounts_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

func at(address string) accounts.Client {
	return accounts.NewClient(netip.MustParseAddr(address), "")
}

func (r *rig) registerFrom(email, address string) accounts.Session {
	r.t.Helper()
	s, _, err := r.Register(ctx, accounts.Registration{Email: email, Password: "correct horse"}, at(address))
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestWrongPasswordsFromKnownDevicesSlowNobodyDown(t *testing.T) {
	r := newRig(t)
	r.registerFrom("owner@example.com", "192.0.2.1")
	r.registerFrom("other@example.com", "192.0.2.1")
	for _, c := range []struct {
		email, from string
		want        int
	}{
		{"owner@example.com", "192.0.2.1", 0},
		{"owner@example.com", "198.51.100.1", 1},
		{"OWNER@ＥＸＡＭＰＬＥ.com", "198.51.100.2", 2}, // another spelling is the same account
		{"nobody@example.com", "192.0.2.1", 1},   // an account that does not exist counts like one that does
		{"nobody@example.com", "198.51.100.1", 2},
		{"other@example.com", "198.51.100.1", 1},
	} {
		if _, err := r.Login(ctx, c.email, "wrong horse", at(c.from)); err == nil {
			t.Fatal("Login with a wrong password: got no error")
		}
		if got := r.WrongPasswords(c.email); got != c.want {
			t.Errorf("after a wrong password for %s from %s: got %d counted, want %d", c.email, c.from, got, c.want)
		}
	}
}

func TestADeviceIsKnownAfterALogInUntilItIsNotUsed(t *testing.T) {
	r := newRig(t)
	id := r.registerFrom("a@example.com", "192.0.2.1").User.ID
	known := func(from string) bool {
		t.Helper()
		ok, err := r.store.KnowsDevice(ctx, id, accounts.DeviceOf(id, at(from)), r.now().Add(-accounts.DeviceLifetime))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	login := func(from string) {
		t.Helper()
		if _, err := r.Login(ctx, "a@example.com", "correct horse", at(from)); err != nil {
			t.Fatal(err)
		}
	}
	if !known("192.0.2.1") || known("2001:db8::1") {
		t.Error("after the registration: want its address known, and no other")
	}
	login("2001:db8::1")
	if !known("2001:db8::ffff:1") || known("2001:db8:0:1::1") {
		t.Error("after a log-in over IPv6: want its /64 known, and no other")
	}
	r.add(accounts.DeviceLifetime - time.Hour)
	login("192.0.2.1")
	r.add(2 * time.Hour)
	if !known("192.0.2.1") || known("2001:db8::1") {
		t.Error("after the lifetime: want only the address that was used meanwhile")
	}
	for i := range accounts.MaxDevices {
		login(fmt.Sprint("203.0.113.", i))
		if was := known("192.0.2.1"); was != (i < accounts.MaxDevices-1) {
			t.Errorf("after %d other addresses: the oldest is known: got %v", i+1, was)
		}
	}
	if !known("203.0.113.0") {
		t.Errorf("of %d addresses: want the oldest kept one known", accounts.MaxDevices)
	}
}
