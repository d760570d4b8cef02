// Package buildinfo returns which build of Taskwire a process runs.
//
// The linker sets the version of a release (scripts/image-build.sh). Any other build has the version "dev" and the
// commit that Go recorded in the binary, if there is one.
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

// unknownCommit is the commit of a build that the linker did not set and that was not made in a checkout.
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
		info.Commit = recorded()
	}
	return info
}

// recorded returns the commit that Go wrote into the binary.
func recorded() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return unknownCommit
}

// String returns the line of --version, without the name of the program.
func (i Info) String() string { return fmt.Sprintf("%s (commit %s, %s)", i.Version, i.Commit, i.Go) }
