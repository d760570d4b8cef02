package postgres_test

import (
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// The second request for one mail finds the first still waiting only if the e-mail has an account. It must not be faster for that.
func TestEachRequestForAMailWritesItsRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	version := func() (v string) {
		t.Helper()
		if err := f.DB.Raw(`SELECT xmin::text FROM mails WHERE email = 'ada@example.com'`).Scan(&v).Error; err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := time.Now().Truncate(time.Microsecond)
	before := ""
	for i, want := range []bool{true, false, false} {
		now = now.Add(time.Second)
		queued, err := f.Store.QueueMail(ctx(), "ada@example.com", accounts.MailRecover, now, accounts.MaxMails)
		if err != nil || queued != want {
			t.Fatalf("request %d: got %v %v, want %v", i+1, queued, err, want)
		}
		if v := version(); v == before {
			t.Errorf("request %d: got the row unchanged, want it written", i+1)
		} else {
			before = v
		}
	}
	first, found, err := f.Store.ClaimMail(ctx(), now, time.Minute)
	if err != nil || !found || first.Attempts != 1 {
		t.Fatalf("ClaimMail: got %+v %v %v", first, found, err)
	}
	second, found, err := f.Store.ClaimMail(ctx(), now.Add(2*time.Minute), time.Minute)
	if err != nil || !found || second.Attempts != 2 {
		t.Fatalf("ClaimMail after the lease: got %+v %v %v", second, found, err)
	}
	// The first sender is late: the mail is not its own any more.
	if err := f.Store.FinishMail(ctx(), first); err != nil {
		t.Fatal(err)
	}
	if _, found, err := f.Store.ClaimMail(ctx(), now.Add(4*time.Minute), time.Minute); err != nil || !found {
		t.Errorf("ClaimMail after a late FinishMail: got %v %v, want the mail to wait still", found, err)
	}
}
