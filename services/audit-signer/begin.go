package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit-signer/internal/files"
)

const (
	exitFailed = 1
	exitUsage  = 2
	// maxCheckpoints bounds the file of --checkpoint. It has room for two thousand checkpoints of some 400 bytes.
	maxCheckpoints = 1 << 20
)

const beginUsage = `audit-signer begin [--state FOLDER] [--key VERIFIER_KEY] [--checkpoint FILE] [--replace]

Says where a signer begins when it does not know the last checkpoint that it signed. --state is the signer's folder, by default
STATE_DIR of the environment. The signer may run: it carries the order out with the next request, or at its next start.

Without --checkpoint it begins with the empty log. That is right for a new key only: for a log that was signed before, it lets
a rewritten log be signed. --checkpoint names a file with the newest checkpoint that you know to be genuine, - for standard
input. The file may have several, also as the lines that the signer publishes: the largest is taken. --key is the log that you
mean: the signer refuses the order if its own key is another one. --replace also gives up a checkpoint that the signer knows,
as after the restore of an older database; every auditor who kept a later checkpoint will see that.
`

// begin handles `audit-signer begin`. It returns the exit status.
func begin(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("begin", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, beginUsage) }
	var order files.Order
	var checkpoint string
	flags.StringVar(&order.Key, "key", "", "the log's public key (default: the signer's own)")
	flags.StringVar(&checkpoint, "checkpoint", "", "file with a signed checkpoint")
	flags.BoolVar(&order.Replace, "replace", false, "give up a known checkpoint")
	dir := flags.String("state", os.Getenv("STATE_DIR"), "the signer's folder")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		if err == nil {
			flags.Usage()
		}
		return exitUsage
	}
	// The default of the service is not the default here: an order in a folder that no signer reads would look carried out.
	if *dir == "" {
		fmt.Fprintln(errs, "audit-signer: the signer's folder is not known: set STATE_DIR as for the signer, or give --state FOLDER")
		return exitUsage
	}
	err := readCheckpoint(checkpoint, in, &order)
	if err == nil {
		err = files.Begin(*dir, order)
	}
	if err != nil {
		fmt.Fprintln(errs, "audit-signer:", err)
		return exitFailed
	}
	fmt.Fprintf(out, "ordered: the signer begins at %s, with its next request or at its next start; /readyz says whether it could\n", placeOf(order))
	return 0
}

// placeOf names the place of an order for a person.
func placeOf(o files.Order) string {
	if lines := strings.SplitN(o.Checkpoint, "\n", 3); len(lines) == 3 {
		return "the checkpoint of " + lines[1] + " entries"
	}
	return "the empty log"
}

// readCheckpoint reads the checkpoint of an order from a file, "-" for standard input, "" for none. The file has one or more, as
// the API answers them or as the signer publishes them; the largest is taken.
func readCheckpoint(file string, in io.Reader, order *files.Order) error {
	switch file {
	case "":
		return nil
	case "-":
	default:
		opened, err := os.Open(file) //nolint:gosec // G304: the operator names the file
		if err != nil {
			return err
		}
		defer opened.Close()
		in = opened
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxCheckpoints+1))
	switch {
	case err != nil:
		return fmt.Errorf("--checkpoint %s: %w", file, err)
	case len(raw) > maxCheckpoints:
		return fmt.Errorf("--checkpoint %s: it has more than %d bytes; give its last lines only", file, maxCheckpoints)
	case len(bytes.TrimSpace(raw)) == 0:
		return fmt.Errorf("--checkpoint %s: it is empty; leave the flag out to begin with the empty log", file)
	}
	newest, err := auditlog.NewestCheckpoint(raw, order.Key)
	if err != nil {
		return fmt.Errorf("--checkpoint %s: %w", file, err)
	}
	order.Checkpoint = string(newest)
	return nil
}
