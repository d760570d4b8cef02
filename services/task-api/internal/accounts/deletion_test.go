package accounts_test

import (
	"errors"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

func TestDeletedAccountIsGoneAndItsEmailIsFree(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	wantInvalid(t, "with a wrong password", "password", r.Delete(ctx, s.User.ID, "wrong horse", here))
	wantInvalid(t, "without a password", "password", r.Delete(ctx, s.User.ID, "", here))
	if err := r.Delete(ctx, s.User.ID, "correct horse", here); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(ctx, s.User.ID, "correct horse", here); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("once more: got %v, want ErrNoUser", err)
	}
	r.wantRefused("its log-in", s.RefreshToken)
	if _, err := r.Login(ctx, "a@example.com", "correct horse", here); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Login: got %v, want ErrWrong", err)
	}
	if err := r.Admit(ctx, auth.Identity{UserID: s.User.ID}); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Admit: got %v, want ErrNoUser", err)
	}
	if again := r.register("a@example.com"); again.User.ID == s.User.ID {
		t.Error("registering again: got the same id")
	}
}
