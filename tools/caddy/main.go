// Command caddy is the gateway of docker-compose.yml, built from Caddy's Go module at the version of the image, so that the
// compose test runs the real Caddyfile without Docker. It is a module of its own, to keep Caddy's dependencies apart.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard" // the modules of Caddy's own program
)

func main() { caddycmd.Main() }
