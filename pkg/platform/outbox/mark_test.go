package outbox

import "testing"

func TestRewindTakesBackWhatCameAfterTheMark(t *testing.T) {
	t.Parallel()
	good := Message{Topic: "t", Key: "k", EventID: "01890a5d-ac96-774b-bcce-b302099a8057", Type: "T", Subject: "s", Data: []byte("{}")}
	tx := &Tx{}
	tx.Add(good)
	mark := tx.Mark()
	tx.Add(good)
	tx.Add(Message{})
	if tx.err == nil {
		t.Fatal("Add of an empty message: got no error")
	}
	tx.Rewind(mark)
	if len(tx.msgs) != 1 || tx.err != nil {
		t.Errorf("Rewind: got %d messages and %v, want the first one and no error", len(tx.msgs), tx.err)
	}
	tx.Add(Message{})
	tx.Rewind(tx.Mark())
	if tx.err == nil {
		t.Error("Rewind to after a bad message: got no error, want the bad message's")
	}
}
