// Package build makes the programs that `taskwire up` runs from the sources of this repository: the services, the
// taskwire tool and daprd.
//
// It promises:
//   - A program in BinDir is whole: it is built elsewhere and moved into place.
//   - Two builds into one folder wait for each other, also those of two processes.
//   - What is current is not built again. Go's cache decides for the services, a stamp over its sources for daprd, whose
//     build takes minutes.
//   - A long build shows its progress. A module registry that does not answer is one line (ErrRegistry).
package build
