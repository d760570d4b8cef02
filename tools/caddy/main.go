// Command caddy is the gateway of docker-compose.yml, built from Caddy's Go module at the version of the image there. The
// compose test uses it to run the real Caddyfile where there is no Docker. It is a module of its own, so Caddy's dependencies
// do not become Taskwire's. ADR 0019 says why `make up` does not use it.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard" // the modules of Caddy's own program
)

func main() { caddycmd.Main() }
