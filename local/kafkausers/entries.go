// The list in the form that Kafka's requests have.

package kafkausers

import "github.com/twmb/franz-go/pkg/kmsg"

const (
	principal = "User:"
	anyHost   = "*"
)

// Entry is one entry of a broker's list of rights. Entries can be compared.
type Entry struct {
	Principal  string
	Kind       kmsg.ACLResourceType
	Name       string
	Pattern    kmsg.ACLResourcePatternType
	Operation  kmsg.ACLOperation
	Host       string
	Permission kmsg.ACLPermissionType
}

// Entries returns the entries of all users.
func Entries() []Entry {
	var all []Entry
	for _, u := range All() {
		for _, r := range u.Rights {
			pattern := kmsg.ACLResourcePatternTypeLiteral
			if r.Prefix {
				pattern = kmsg.ACLResourcePatternTypePrefixed
			}
			for _, op := range r.Operations {
				all = append(all, Entry{principal + u.Name, r.Kind, r.Name, pattern, op, anyHost, kmsg.ACLPermissionTypeAllow})
			}
		}
	}
	return all
}

// Ours reports whether a principal is one of the users whose rights this list decides.
func Ours(of string) bool {
	for _, u := range All() {
		if of == principal+u.Name {
			return true
		}
	}
	return false
}
