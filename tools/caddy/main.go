// Command caddy is the gateway of docker-compose.yml, built from Caddy's Go module at the version of the image there, so
// that the compose test runs the real Caddyfile where there is no Docker. A module of its own: Caddy's dependencies are
// no business of Taskwire's.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard" // what Caddy's own program has
)

func main() { caddycmd.Main() }
