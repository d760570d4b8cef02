package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/taskwire/taskwire/services/audit-signer/internal/files"
)

const (
	exitFailed = 1
	exitUsage  = 2
	// maxCheckpoint is several times the size of a signed checkpoint.
	maxCheckpoint = 64 << 10
)

const beginUsage = `audit-signer begin [--key VERIFIER_KEY] [--checkpoint FILE] [--replace]

Says where the signer of the folder STATE_DIR begins when it does not know the last checkpoint that it signed. The signer may
run: it carries the order out with the next request, or at its next start.

Without --checkpoint it begins with the empty log. That is right for a new key only: for a log that was signed before, it lets
a rewritten log be signed. --checkpoint names a file with the newest checkpoint that you know to be genuine, - for standard
input. --key is the log that you mean: the signer refuses the order if its own key is another one. --replace also gives up a checkpoint that the signer knows, as after the restore of an older database; every auditor
who kept a later checkpoint will see that.
`

// begin handles `audit-signer begin`. It returns the exit status.
func begin(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("begin", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, beginUsage) }
	var order files.Order
	var checkpoint string
	dir := os.Getenv("STATE_DIR")
	if dir == "" {
		dir = "/var/lib/taskwire/audit-signer"
	}
	flags.StringVar(&order.Key, "key", "", "the log's public key (default: the signer's own)")
	flags.StringVar(&checkpoint, "checkpoint", "", "file with a signed checkpoint")
	flags.BoolVar(&order.Replace, "replace", false, "give up a known checkpoint")
	flags.StringVar(&dir, "state", dir, "the signer's folder")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		if err == nil {
			flags.Usage()
		}
		return exitUsage
	}
	err := readCheckpoint(checkpoint, in, &order)
	if err == nil {
		err = files.Begin(dir, order)
	}
	if err != nil {
		fmt.Fprintln(errs, "audit-signer:", err)
		return exitFailed
	}
	fmt.Fprintln(out, "the signer begins there")
	return 0
}

// readCheckpoint reads the checkpoint of an order from a file, "-" for standard input, "" for none.
func readCheckpoint(file string, in io.Reader, order *files.Order) error {
	var raw []byte
	var err error
	switch file {
	case "":
		return nil
	case "-":
		raw, err = io.ReadAll(io.LimitReader(in, maxCheckpoint))
	default:
		raw, err = os.ReadFile(file) //nolint:gosec // G304: the operator names the file
	}
	order.Checkpoint = string(raw)
	return err
}
