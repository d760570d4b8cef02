// Who may connect, and the broker's own way in.

package broker

import (
	"context"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/taskwire/taskwire/local/kafkausers"
)

const (
	mechanism = "SCRAM-SHA-512"

	// keeperUser is the broker itself. Its password is new with each start and never leaves the process.
	keeperUser = "taskwire-broker"

	// kfake keeps users and rights in these files and then ignores those of its options. The files are removed at each start,
	// because passwords and rights come from the configuration: what was changed there must not come back from here.
	usersFile  = "sasl.json"
	rightsFile = "acls.json"
)

// users returns the options by which kfake asks for a password and checks rights. The rights themselves are given by a request.
func (c Config) users(k keeper) []kfake.Opt {
	if c.Passwords == nil {
		return nil
	}
	opts := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser(mechanism, keeperUser, k.password)}
	for _, name := range kafkausers.Names() {
		password := c.Passwords[name]
		switch {
		case password == "":
		case name == kafkausers.Admin:
			opts = append(opts, kfake.Superuser(mechanism, name, password))
		default:
			opts = append(opts, kfake.User(mechanism, name, password))
		}
	}
	return opts
}

// keeper is how the broker makes requests to itself: by connections within the process, which work before others are served
// and are not tracked as a client's.
type keeper struct {
	password string
	ln       *listener
}

func (k keeper) client(addr string) (*kgo.Client, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return k.ln.dial(ctx) })}
	if k.ln.guarded {
		opts = append(opts, kgo.SASL(scram.Auth{User: keeperUser, Pass: k.password}.AsSha512Mechanism()))
	}
	return kgo.NewClient(opts...)
}
