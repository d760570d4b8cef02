// Command taskwire is the operator's tool: it builds Taskwire, runs all of it on one machine, and inspects what
// runs. `taskwire help` lists the commands.
package main

import (
	"os"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
