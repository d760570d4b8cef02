package auditsigner

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASignerThatHasBegunGetsNoOrder(t *testing.T) {
	dir := Dir(t.TempDir())
	order := filepath.Join(dir, "begin.json")
	if err := Begin(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(order); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the order: got %v, %v, want a file of mode 0600", info, err)
	}
	if err := os.Remove(order); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Begin(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(order); err == nil {
		t.Error("a signer that knows its last checkpoint was told to begin")
	}
}
