// Package address says by which address a client is counted.
//
// Promises:
//   - A client is counted by what it cannot choose. Many IPv6 networks give each host a whole /64 (RFC 6177, RFC 7934), so
//     a /64 counts as one address. An IPv4 address counts the same in its IPv4-mapped form.
//   - The address of a client behind proxies is the nearest one that a trusted proxy wrote. Where that cannot be read,
//     the client is counted as the proxy itself, and never by a further entry, which the client may have written.
package address

import (
	"fmt"
	"net/netip"
	"strings"
)

// hostBits is the length of the IPv6 prefix that one customer has at least.
const hostBits = 64

// unknown is the key of a connection without an IP address. Such connections share one count.
const unknown = "unknown"

// Key returns the text by which the client with that address is counted: the address for IPv4, the /64 for IPv6.
func Key(a netip.Addr) string {
	switch a = a.Unmap(); {
	case !a.IsValid():
		return unknown
	case a.Is4():
		return a.String()
	}
	network, err := a.WithZone("").Prefix(hostBits)
	if err != nil {
		return unknown
	}
	return network.String()
}

// Of returns the address of "host:port", such as that of a connection, or the zero Addr. The zone of a link-local address
// is the name of a network card of this machine and is left out.
func Of(hostPort string) netip.Addr {
	p, err := netip.ParseAddrPort(strings.TrimSpace(hostPort))
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap().WithZone("")
}

// Proxies are the proxies whose X-Forwarded-For is trusted. The zero value trusts none.
type Proxies struct{ networks []netip.Prefix }

// ParseProxies reads addresses and networks such as 127.0.0.1 and 10.0.0.0/8. Empty entries count for nothing. The error
// names the entry that is neither.
func ParseProxies(entries []string) (Proxies, error) {
	var p Proxies
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		network, err := netip.ParsePrefix(entry)
		if err != nil {
			single, err := netip.ParseAddr(entry)
			if err != nil || single.Zone() != "" {
				return Proxies{}, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", entry)
			}
			single = single.Unmap()
			network = netip.PrefixFrom(single, single.BitLen())
		}
		p.networks = append(p.networks, network)
	}
	return p, nil
}

// Trusts reports whether a proxy with that address is trusted.
func (p Proxies) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range p.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the address of the client of a connection from remote ("host:port") with these X-Forwarded-For lines. Each
// proxy appends the address of its peer, so the lines are read from their end for as long as the writer of an entry is
// trusted. It is the zero Addr only for a connection that has no IP address.
func (p Proxies) Client(remote string, forwardedFor []string) netip.Addr {
	client := Of(remote)
	for i := len(forwardedFor) - 1; i >= 0; i-- {
		for rest, more := forwardedFor[i], true; more; {
			if !p.Trusts(client) {
				return client
			}
			entry := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				more = false
			}
			peer, ok := hop(entry)
			if !ok {
				return client
			}
			client = peer
		}
	}
	return client
}

// hop reads one entry of X-Forwarded-For: an address, which some proxies write with the port. An address with a zone has a
// meaning on the machine of its writer only, so it is not one.
func hop(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	a, err := netip.ParseAddr(entry)
	if err != nil {
		p, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		a = p.Addr()
	}
	return a.Unmap(), a.Zone() == ""
}
