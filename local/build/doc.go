// Package build makes the programs that `taskwire up` runs, from this repository's source: the services, the taskwire
// tool itself, and daprd.
//
// It promises:
//   - A program in BinDir is whole: it is built beside its place and moved there.
//   - Two builds into one folder wait for one another, also of two processes.
//   - What is current is not built: Go's cache decides for the services, a stamp over its source for daprd, whose build
//     takes minutes.
//   - Long work shows how far it is. A registry that cannot be reached is said in one line (ErrRegistry).
package build
