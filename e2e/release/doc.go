// Package release tests what only a release uses: every action is pinned by its commit, the workflow builds each image, and
// the changelog has the form that scripts/release.sh reads.
package release
