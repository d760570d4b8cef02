package broker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// filledFolder returns the folder of a killed broker with 20 records and a group's offset.
func filledFolder(t *testing.T) string {
	t.Helper()
	cfg := childConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Topics: []events.Topic{{Name: "orders", Partitions: 1}}}
	broker := startChild(t, cfg)
	cl := newClient(t, broker.addr)
	for i := range 20 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: fmt.Append(nil, "record ", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(3) {
		offsets := make(kadm.Offsets)
		offsets.AddOffset("orders", 0, i+1, -1)
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
			t.Fatal(err)
		}
	}
	broker.kill()
	return cfg.DataDir
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sums returns hashes of the files of a folder, without the lock file, which names a process.
func sums(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	got := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == lockFile {
			return err
		}
		raw, err := os.ReadFile(path)
		got[path] = sha256.Sum256(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestADamagedFolderIsRefusedNamedAndKept(t *testing.T) {
	t.Parallel()
	segment := filepath.Join(partitionsDir, "orders-0", "0.dat")
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string // in the error
	}{
		{"a flipped bit in the middle of a segment", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, segment), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, segment},
		{"a flipped bit in the length of a batch", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, segment), func(b []byte) []byte { b[9] ^= 4; return b })
		}, segment},
		{"a piece cut out of a segment", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, segment), func(b []byte) []byte { return append(b[:len(b)/4], b[len(b)/2:]...) })
		}, segment},
		{"a topics file that is not JSON", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, topicsFile), func(b []byte) []byte { return b[:len(b)/2] })
		}, topicsFile},
		{"a topics file without the topic", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, topicsFile), func([]byte) []byte { return []byte(`{"version":1,"topics":[]}`) })
		}, "orders-0"},
		{"no meta file", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, metaFile)); err != nil {
				t.Fatal(err)
			}
		}, metaFile},
		{"a flipped bit in the log of group offsets", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, groupsLog), func(b []byte) []byte { b[20] ^= 1; return b })
		}, groupsLog},
		{"a flipped bit in the length of a group offset", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, groupsLog), func(b []byte) []byte { b[1] ^= 8; return b })
		}, groupsLog},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filledFolder(t)
			test.damage(t, dir)
			before := sums(t, dir)
			err := Run(t.Context(), Config{Addr: "127.0.0.1:0", DataDir: dir, Log: slog.New(slog.DiscardHandler)}, nil)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Run = %v, want ErrCorrupt that names %s in %s", err, test.want, dir)
			}
			after := sums(t, dir)
			for path, sum := range before {
				if after[path] != sum {
					t.Errorf("%s was changed", path)
				}
			}
		})
	}
}

func TestATornWriteAtTheEndIsCutOff(t *testing.T) {
	t.Parallel()
	dir := filledFolder(t)
	// The start of a batch and of an offset that were being written when the machine failed. Neither was acknowledged.
	edit(t, filepath.Join(dir, partitionsDir, "orders-0", "0.dat"), func(b []byte) []byte { return append(b, b[:70]...) })
	edit(t, filepath.Join(dir, groupsLog), func(b []byte) []byte { return append(b, b[:15]...) })
	topics := []events.Topic{{Name: "orders", Partitions: 1}}
	for run := range 2 { // the second sees what the first wrote behind the cut
		addr, stop := start(t, Config{DataDir: dir, Topics: topics})
		if got := readAll(t, addr, "orders"); len(got) != 20+run {
			t.Errorf("records in run %d = %d, want %d", run, len(got), 20+run)
		}
		cl := newClient(t, addr)
		admin := kadm.NewClient(cl)
		kept, err := admin.FetchOffsets(t.Context(), "readers")
		if o, _ := kept.Lookup("orders", 0); err != nil || o.At != int64(3+run) {
			t.Errorf("offset in run %d = %d, %v, want %d", run, o.At, err, 3+run)
		}
		offsets := make(kadm.Offsets)
		offsets.AddOffset("orders", 0, int64(4+run), -1)
		if err := admin.CommitAllOffsets(t.Context(), "readers", offsets); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("later")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		stop()
	}
}

func TestTwoBrokersNeverShareAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startChild(t, childConfig{Addr: "127.0.0.1:0", DataDir: dir})
	err := Run(t.Context(), Config{Addr: "127.0.0.1:0", DataDir: dir}, nil)
	if want := fmt.Sprint("process ", first.cmd.Process.Pid); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("second Run = %v, want ErrLocked and %q", err, want)
	}
	first.kill() // the lock file stays
	start(t, Config{DataDir: dir})
}

func TestRunNamesWhatIsWrongInItsConfiguration(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{Addr: "localhost", DataDir: dir}, `"localhost"`},
		{Config{Addr: ":9092", DataDir: dir}, "names no host"},
		{Config{Addr: "0.0.0.0:9092", DataDir: dir}, "names no host"},
		{Config{Addr: "127.0.0.1:x", DataDir: dir}, "port"},
		{Config{Addr: "127.0.0.1:0"}, "no data folder"},
		{Config{Addr: "127.0.0.1:0", DataDir: dir, Topics: []events.Topic{{Name: "a"}}}, `"a"`},
		{Config{Addr: taken.Addr().String(), DataDir: dir}, taken.Addr().String()},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := Run(ctx, test.cfg, func(string) { cancel() })
		cancel()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Run(%+v) = %v, want an error with %q", test.cfg, err, test.want)
		}
	}
}
