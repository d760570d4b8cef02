package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func wantInvalid(t *testing.T, what, field string, err error) {
	t.Helper()
	var invalid *domain.Invalid
	if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Fields[0].Field != field {
		t.Errorf("%s: got %v, want *Invalid that names %s", what, err, field)
	}
}

func TestPasswordChangeEndsEveryOtherLogin(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com")
	second, err := r.Login(ctx, "a@example.com", "correct horse", here)
	if err != nil {
		t.Fatal(err)
	}
	other := r.register("b@example.com")
	_, err = r.ChangePassword(ctx, first.User.ID, "wrong horse", "battery staple", here)
	wantInvalid(t, "with a wrong password", "current_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", "1234567", here)
	wantInvalid(t, "to one of 7 characters", "new_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", strings.Repeat("p", 257), here)
	wantInvalid(t, "to one of 257 characters", "new_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", "correct horse", here)
	wantInvalid(t, "to the same password", "new_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", "Qwertyuiop1", here)
	wantInvalid(t, "to a common password", "new_password", err)
	if _, err := r.Login(ctx, "a@example.com", "correct horse", here); err != nil {
		t.Errorf("after refusals: Login: got %v", err)
	}
	s, err := r.ChangePassword(ctx, first.User.ID, "correct horse", "8 of kind", here)
	if err != nil || s.User.ID != first.User.ID || s.AccessToken == "" {
		t.Fatalf("ChangePassword: got %+v %v", s, err)
	}
	r.wantRefused("the log-in that changed it", first.RefreshToken)
	r.wantRefused("another log-in", second.RefreshToken)
	r.refresh(s.RefreshToken)
	r.refresh(other.RefreshToken)
	if _, err := r.Login(ctx, "a@example.com", "correct horse", here); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Login with the old password: got %v, want ErrWrong", err)
	}
	if _, err := r.Login(ctx, "a@example.com", "8 of kind", here); err != nil {
		t.Errorf("Login with the new password: got %v", err)
	}
	if _, err := r.ChangePassword(ctx, "01890a5d-ac96-774b-bcce-b302099a8057", "x", "8 of kind", here); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("of nobody: got %v, want ErrNoUser", err)
	}
}

func TestLoginCheckedAgainstTheOldPasswordDoesNotStart(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	old, err := r.store.PasswordHash(ctx, s.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ChangePassword(ctx, s.User.ID, "correct horse", "battery staple", here); err != nil {
		t.Fatal(err)
	}
	late := accounts.Login{FamilyID: "01890a5d-ac96-774b-bcce-b302099a8057", UserID: s.User.ID, Password: old, At: r.now(), ExpiresAt: r.now().Add(time.Hour)}
	if err := r.store.StartLogin(ctx, late, tasktest.NoEvents); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("StartLogin: got %v, want ErrWrong", err)
	}
	if err := r.store.ChangePassword(ctx, old, late, tasktest.NoEvents, nil); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("ChangePassword: got %v, want ErrWrong", err)
	}
	if err := r.store.DeleteUser(ctx, s.User.ID, old, r.now(), tasktest.NoEvents); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("DeleteUser: got %v, want ErrWrong", err)
	}
}
