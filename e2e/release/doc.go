// Package release tests what a release rests on and nobody runs before one: that every action is pinned by its commit,
// that the workflow makes each image, and that the changelog is in the form that scripts/release.sh reads.
package release
