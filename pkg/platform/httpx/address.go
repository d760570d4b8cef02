package httpx

import (
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/address"
)

// proxiesKey is the context key of the engine's trusted proxies.
const proxiesKey = "taskwire.proxies"

// ClientAddress returns the address of the client: that of the connection or, behind trusted proxies, the one that they
// wrote. No other header counts. gin's ClientIP knows no proxies here and returns the connection's.
func ClientAddress(c *gin.Context) netip.Addr {
	return proxiesOf(c).Client(c.Request.RemoteAddr, c.Request.Header.Values("X-Forwarded-For"))
}

// fromProxy reports whether the connection is that of a trusted proxy.
func fromProxy(c *gin.Context) bool { return proxiesOf(c).Trusts(address.Of(c.Request.RemoteAddr)) }

func proxiesOf(c *gin.Context) address.Proxies {
	proxies, _ := c.Value(proxiesKey).(address.Proxies) // none on a route without Middleware
	return proxies
}

// AddressKey returns the text by which the client is counted in limits: its address for IPv4, its /64 for IPv6.
func AddressKey(c *gin.Context) string { return address.Key(ClientAddress(c)) }
