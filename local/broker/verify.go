// Which data folders are accepted.

package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrCorrupt is wrapped by the error of Run when the data folder is damaged.
var ErrCorrupt = errors.New("the data folder is damaged")

// The files of kfake's data folder (persist.go of the version in go.mod).
const (
	metaFile      = "meta.json"
	topicsFile    = "topics.json"
	groupsLog     = "groups.log"
	partitionsDir = "partitions"
	segmentSuffix = ".dat"
)

// verify reads the whole folder before kfake does. kfake cuts a segment off at the first bad byte and starts empty when its
// meta file is missing. That is right after a torn write, which was never acknowledged. After other damage it would lose
// acknowledged records silently. So verify accepts a torn write at the very end only. Other damage is an error that names
// the place, and the folder stays as it is.
func verify(dir string, log *slog.Logger) error {
	v := verifier{dir: dir, log: log}
	partitions, err := v.partitions()
	if err != nil {
		return err
	}
	if err := v.states(len(partitions) > 0); err != nil {
		return err
	}
	if err := v.named(partitions); err != nil {
		return err
	}
	for _, p := range partitions {
		if err := v.partition(p); err != nil {
			return err
		}
	}
	return v.groups()
}

type verifier struct {
	dir string
	log *slog.Logger
}

func (v verifier) corrupt(path, format string, args ...any) error {
	if rel, err := filepath.Rel(v.dir, path); err == nil {
		path = rel
	}
	return fmt.Errorf("%w and was left as it is: in %s, %s %s; restore the folder, or move it away to start empty",
		ErrCorrupt, v.dir, path, fmt.Sprintf(format, args...))
}

// partitions lists the folders with segments.
func (v verifier) partitions() ([]string, error) {
	all, err := filepath.Glob(filepath.Join(v.dir, partitionsDir, "*", "*"+segmentSuffix))
	if err != nil {
		return nil, err
	}
	dirs := make([]string, 0, len(all))
	for _, path := range all {
		dirs = append(dirs, filepath.Dir(path))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}

// states checks kfake's state files. A broker that was killed at its first start may have left only some of them.
func (v verifier) states(holdsData bool) error {
	if log, err := os.Stat(filepath.Join(v.dir, groupsLog)); err == nil && log.Size() > 0 {
		holdsData = true
	}
	files, err := filepath.Glob(filepath.Join(v.dir, "*.json"))
	if err != nil {
		return err
	}
	for _, need := range []string{metaFile, topicsFile} {
		if path := filepath.Join(v.dir, need); holdsData && !slices.Contains(files, path) {
			return v.corrupt(path, "is missing, but there are records or group offsets")
		}
	}
	for _, path := range files {
		if filepath.Base(path) == sessionFile {
			continue // it is removed, see sessionFile
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !json.Valid(raw) {
			return v.corrupt(path, "is not JSON")
		}
	}
	return nil
}

// named checks that the topics file names every partition with records. kfake would not load the other partitions and would
// write new records into the middle of their files.
func (v verifier) named(partitions []string) error {
	var known struct {
		Topics []struct {
			Name       string `json:"name"`
			Partitions int    `json:"partitions"`
		} `json:"topics"`
	}
	path := filepath.Join(v.dir, topicsFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // states has checked that there are no partitions either
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &known); err != nil {
		return v.corrupt(path, "is not a list of topics: %v", err)
	}
	dirs := map[string]bool{}
	for _, t := range known.Topics {
		for p := range t.Partitions {
			dirs[url.PathEscape(t.Name)+"-"+strconv.Itoa(p)] = true
		}
	}
	for _, dir := range partitions {
		if !dirs[filepath.Base(dir)] {
			return v.corrupt(dir, "holds records of a partition that %s does not name", topicsFile)
		}
	}
	return nil
}

// partition checks the segments of a partition in order.
func (v verifier) partition(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		return err
	}
	segments := make([]segment, 0, len(files))
	for _, path := range files {
		base, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(path), segmentSuffix), 10, 64)
		if err != nil {
			return v.corrupt(path, "is no segment: its name is not an offset")
		}
		segments = append(segments, segment{path, base})
	}
	slices.SortFunc(segments, func(a, b segment) int { return int(a.base - b.base) })
	next := int64(-1) // the offset that has to follow
	for i, s := range segments {
		raw, err := os.ReadFile(s.path)
		if err != nil {
			return err
		}
		if next >= 0 && len(raw) > 0 && s.base != next {
			return v.corrupt(dir, "has no records from offset %d to %d", next, s.base-1)
		}
		end, good, err := scanBatches(raw)
		if err != nil {
			return v.corrupt(s.path, "%v", err)
		}
		if good < len(raw) {
			if i < len(segments)-1 {
				return v.corrupt(s.path, "ends within a record batch at byte %d, but is not the last segment", good)
			}
			v.log.Warn("cut off a record batch that was not written completely",
				"file", s.path, "bytes", len(raw)-good) // kfake does
		}
		if end >= 0 {
			next = end
		}
	}
	return nil
}

type segment struct {
	path string
	base int64 // its first offset
}

// groups checks the log of group offsets and cuts a torn entry off its end. kfake skips a torn entry when it loads, but then
// appends after it, and the next load would not find those entries.
func (v verifier) groups() error {
	path := filepath.Join(v.dir, groupsLog)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	good, err := scanEntries(raw)
	if err != nil {
		return v.corrupt(path, "%v", err)
	}
	if good == len(raw) {
		return nil
	}
	v.log.Warn("cut off a group offset that was not written completely", "bytes", len(raw)-good)
	return os.Truncate(path, int64(good))
}
