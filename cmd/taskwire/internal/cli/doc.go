// Package cli is the taskwire command: it reads flags, and leaves the work to the packages that do it.
//
// Promises: every command has help with examples; an error is one message that says what is wrong and what to do, on
// standard error, with exit status 1 (2 for a wrong call); Ctrl-C ends a command cleanly, a second one at once.
package cli
