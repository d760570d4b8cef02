// Package buildinfo says which build of Taskwire a process is.
//
// A release is stamped by the linker (scripts/image-build.sh); any other build says "dev" and, where Go noted it, the
// commit it was built from.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by -ldflags "-X …/buildinfo.version=… -X …/buildinfo.commit=…".
var (
	version = "dev"
	commit  string
)

// unknownCommit stands where a build was neither stamped nor made in a checkout.
const unknownCommit = "unknown"

// Info is one build.
type Info struct {
	Version string // such as 1.4.0, without a v, or dev
	Commit  string // the full hash, or "unknown"
	Go      string // the compiler
}

// Read returns this process's build.
func Read() Info {
	info := Info{Version: version, Commit: commit, Go: runtime.Version()}
	if info.Commit == "" {
		info.Commit = noted()
	}
	return info
}

// noted is the commit that Go wrote into the binary.
func noted() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return unknownCommit
}

// String is the line of --version, after the program's name.
func (i Info) String() string { return fmt.Sprintf("%s (commit %s, %s)", i.Version, i.Commit, i.Go) }
