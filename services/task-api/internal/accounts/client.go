package accounts

import (
	"net/netip"
	"strings"
	"unicode"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/address"
)

// Client is who sent a request: what the owner of an account sees about a session, and what the log says about a refusal.
type Client struct {
	address netip.Addr
	device  string
}

// NewClient returns the client with that address and User-Agent. The User-Agent is what the client claims. It becomes one line
// without control characters and invisible ones, so that it cannot imitate other text where it is shown. It is cut to
// events.MaxDevice characters.
func NewClient(from netip.Addr, userAgent string) Client {
	shown := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, userAgent)
	device := []rune(strings.Join(strings.Fields(shown), " "))
	return Client{address: from.Unmap().WithZone(""), device: string(device[:min(len(device), events.MaxDevice)])}
}

// Address returns the IP address, or "" if it is not known.
func (c Client) Address() string {
	if !c.address.IsValid() {
		return ""
	}
	return c.address.String()
}

// Device returns the cleaned User-Agent, which may be empty.
func (c Client) Device() string { return c.device }

// key returns the text by which refusals of the client are counted.
func (c Client) key() string { return address.Key(c.address) }
