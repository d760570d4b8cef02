package passwords

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed common.txt
var commonFile string

// common has the common passwords in lower case.
var common = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool, strings.Count(commonFile, "\n"))
	for line := range strings.Lines(commonFile) {
		if word := strings.TrimSuffix(line, "\n"); word != "" && !strings.HasPrefix(word, comment) {
			set[word] = true
		}
	}
	return set
})

// comment begins a line of the list that is no password.
const comment = "## "
