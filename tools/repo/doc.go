// Package repo tests rules that hold for every Go file of the repository and that no linter here can express: each package
// has a doc, and no test has a name that is too long to read. Standard library only, in a module of its own, because it
// looks at all modules and belongs to none.
package repo
