// The list as a table for people.

package kafkausers

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Markdown returns the table in docs/kafka.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| user | used by | reads | writes | groups |\n| --- | --- | --- | --- | --- |\n")
	for _, u := range All() {
		var reads, writes, groups []string
		for _, r := range u.Rights {
			name := "`" + r.Name + "`"
			if r.Prefix {
				name = "`" + r.Name + "…`"
			}
			if r.Name == "*" {
				name = "all"
			}
			for _, op := range r.Operations {
				switch {
				case r.Kind == kmsg.ACLResourceTypeGroup && op == kmsg.ACLOperationRead:
					groups = append(groups, name)
				case r.Kind == kmsg.ACLResourceTypeGroup:
					groups = append(groups, strings.ToLower(op.String())+" "+name)
				case op == kmsg.ACLOperationRead:
					reads = append(reads, name)
				case op == kmsg.ACLOperationWrite:
					writes = append(writes, name)
				default:
					reads = append(reads, strings.ToLower(op.String())+" "+name)
				}
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", u.Name, u.For, strings.Join(reads, ", "), strings.Join(writes, ", "), strings.Join(groups, ", "))
	}
	return b.String()
}
