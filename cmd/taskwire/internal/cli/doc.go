// Package cli is the command line of taskwire. Each command has its own file: it reads the flags, calls the package that
// does the work, and turns the result into lines and an exit code.
//
// Promises: every command has help with an example. Exit code 0 is success; 1 is a failure, with one message on stderr
// that says what is wrong and what to do; 130 is an interrupted import or export. Output for programs (--json, raw logs) goes to stdout
// alone. Ctrl-C ends a command cleanly; for `up`, a second one ends it at once.
package cli
