package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/term"

	client "github.com/taskwire/taskwire/cmd/taskwire/internal/auditlog"
	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// The exit codes of `taskwire audit`: 1 is an alarm, and must not be confused with a server that is away.
const (
	exitDiffers = 1
	exitUnknown = 2
)

// auditProgressEvery is how often a terminal shows the progress.
const auditProgressEvery = 200 * time.Millisecond

// codeError is an error with an exit code of its own.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// auditCode gives an error its exit code.
func auditCode(err error) error {
	var bad *auditlog.Difference
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return &codeError{exitDiffers, err}
	case errors.Is(err, context.Canceled):
		return interrupted("the log was not checked to its end")
	}
	return &codeError{exitUnknown, err}
}

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Check the audit log from the outside", Example: "  taskwire audit verify --help\n  taskwire audit watch --help"}
	cmd.AddCommand(auditVerifyCommand(), auditWatchCommand())
	return cmd
}

// auditFlags are the flags that both commands have.
type auditFlags struct{ url, key string }

func (f *auditFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "url", "http://localhost:8080", "address of the gateway")
	cmd.Flags().StringVar(&f.key, "key", "", "the log's public key, or @FILE with it (default: as the server says it, which proves less)")
}

// publicKey returns the key of the flag, or asks the server. It returns an error for what is not a key: with it every checkpoint
// would look forged.
func (f *auditFlags) publicKey(ctx context.Context, c *client.Client, errs io.Writer) (string, error) {
	key, err := f.findKey(ctx, c, errs)
	if err != nil {
		return "", err
	}
	if _, err := note.NewVerifier(key); err != nil {
		return "", errors.New("the log's public key cannot be read: it is one line like NAME+HASH+KEY, as GET /api/v1/audit/key answers it")
	}
	return key, nil
}

func (f *auditFlags) findKey(ctx context.Context, c *client.Client, errs io.Writer) (string, error) {
	if file, ok := strings.CutPrefix(f.key, "@"); ok {
		raw, err := os.ReadFile(file)
		return strings.TrimSpace(string(raw)), err
	}
	if f.key != "" {
		return f.key, nil
	}
	if c == nil {
		return "", errors.New("--key is not set: it is what GET /api/v1/audit/key answered when you first met the log")
	}
	key, err := c.Key(ctx)
	if err == nil {
		fmt.Fprintf(errs, "taskwire: the server says that its key is %s: keep it, and give it with --key from now on\n", key)
	}
	return key, err
}

func (f *auditFlags) client() (*client.Client, error) {
	token := os.Getenv(tokenVariable)
	if token == "" {
		return nil, errors.New(tokenVariable + " is not set: it must contain the access_token that POST /api/v1/auth/login returns")
	}
	return &client.Client{URL: f.url, Token: token, HTTP: &http.Client{}}, nil
}

func auditVerifyCommand() *cobra.Command {
	var flags auditFlags
	var export, kept string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every entry of the audit log against what was signed",
		Long: "Reads the whole log, from the server or from an export, and checks that the columns of each entry are those of its leaf,\n" +
			"that the leaves give the signed roots, and that the kept checkpoints (--checkpoint) belong to the same log. It names the\n" +
			"first bad entry. An auditor's token reads the whole log; the token of another user reads its own entries, with proofs, and\n" +
			"asks the server for the proof that the log continues each kept checkpoint.\n" +
			"The token comes from " + tokenVariable + ".\n\n" +
			"Exit code 0: the log is what was signed. 1: it is not. 2: it could not be checked.",
		Example: "  taskwire audit verify --url https://tasks.example.com --key @log.key --checkpoint kept.txt\n" +
			"  taskwire audit verify --export audit.jsonl --key @log.key --checkpoint kept.txt   # without a server",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return auditCode(auditVerify(ctx, cmd, &flags, export, kept))
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&export, "export", "", "file with what GET /api/v1/audit/export answered, - for standard input, instead of a server")
	cmd.Flags().StringVar(&kept, "checkpoint", "", "file with checkpoints that were kept: of taskwire audit watch, of the API, or of the signer")
	return cmd
}

func auditVerify(ctx context.Context, cmd *cobra.Command, flags *auditFlags, export, kept string) error {
	var c *client.Client
	var err error
	if export == "" {
		if c, err = flags.client(); err != nil {
			return err
		}
	}
	key, err := flags.publicKey(ctx, c, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	var earlier []auditlog.Checkpoint
	if kept != "" {
		raw, err := os.ReadFile(kept)
		if err != nil {
			return err
		}
		if earlier, err = auditlog.OpenCheckpoints(raw, key); err != nil {
			return client.KeptError(kept, err)
		}
	}
	v := auditlog.NewVerifier(key, earlier...)
	show, clear := progressOn(cmd.ErrOrStderr())
	if c != nil {
		err = client.Verify(ctx, v, c, show)
	} else {
		err = verifyFile(ctx, v, export, cmd.InOrStdin(), show)
	}
	clear()
	if err != nil {
		return err
	}
	r := v.Result()
	if !r.Whole {
		if err := auditContinues(ctx, v, c); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d of your entries are in the log of %d that was signed; %d kept checkpoints agree (of one user: the other entries are not read)\n", r.Entries, r.Checkpoint.Size, len(earlier))
		return nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d entries are what was signed; %d checkpoints agree; root %s\n", r.Entries, r.Checkpoints, r.Checkpoint.Root)
	return nil
}

// auditContinues checks that the log of the newest checkpoint continues each one that the entries of one user do not prove.
func auditContinues(ctx context.Context, v *auditlog.Verifier, c *client.Client) error {
	unproved, r := v.Unproved(), v.Result()
	if c == nil && len(unproved) > 0 {
		return fmt.Errorf("the proofs of %d entries are right, but an export of one user does not show that its log of %d continues the checkpoint of %d: "+
			"leave --export out to ask the server for that proof, or take the export of an auditor", r.Entries, r.Checkpoint.Size, unproved[0].Size)
	}
	for _, earlier := range unproved {
		if err := auditlog.Continues(ctx, earlier, r.Checkpoint, c.Consistency); err != nil {
			return err
		}
	}
	return nil
}

func verifyFile(ctx context.Context, v *auditlog.Verifier, name string, in io.Reader, show func(auditlog.Result)) error {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	return client.VerifyFile(ctx, v, in, show)
}

// progressOn shows the progress on a terminal, and nothing elsewhere.
func progressOn(w io.Writer) (show func(auditlog.Result), clear func()) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func(auditlog.Result) {}, func() {}
	}
	var last time.Time
	return func(r auditlog.Result) {
			if time.Since(last) < auditProgressEvery {
				return
			}
			last = time.Now()
			fmt.Fprintf(w, "\r%d of %d entries ", r.Entries, r.Checkpoint.Size)
		}, func() {
			if !last.IsZero() {
				fmt.Fprint(w, "\r\x1b[K")
			}
		}
}

func auditWatchCommand() *cobra.Command {
	var flags auditFlags
	w := client.Watch{}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Follow the checkpoints of the audit log, and raise an alarm when it is not the same log any more",
		Long: "Asks for the newest checkpoint again and again, and for the proof that its log begins with the log of the last one. The last\n" +
			"checkpoint is kept in --file, so that the command can be stopped and started. At an alarm the bad checkpoint is kept in FILE.bad.\n" +
			"Run it on a machine that the operators of the log do not control. The token comes from " + tokenVariable + "; any account will do.\n\n" +
			"Exit code 0: stopped with Ctrl-C, or --once found the log grown or the same. 1: an alarm: the log was forked, became shorter,\n" +
			"is signed by another key, or grew " + strconv.Itoa(client.MaxUnproved) + " times without a proof. 2: it could not be checked. Take a 2 of --once that\n" +
			"comes again and again as an alarm too.",
		Example: "  taskwire audit watch --url https://tasks.example.com --key @log.key --file kept.txt\n" +
			"  taskwire audit watch --once --key @log.key --file kept.txt   # from cron",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			if w.Every <= 0 {
				return auditCode(errors.New("--every is not longer than zero"))
			}
			var err error
			if w.Client, err = flags.client(); err != nil {
				return auditCode(err)
			}
			if w.Key, err = flags.publicKey(ctx, w.Client, cmd.ErrOrStderr()); err != nil {
				return auditCode(err)
			}
			w.Say = func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) }
			err = w.Run(ctx)
			if errors.Is(err, context.Canceled) && !w.Once {
				return nil // Ctrl-C is how an endless watch ends
			}
			return auditCode(err)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&w.File, "file", "audit-checkpoint.txt", "file that keeps the last checkpoint")
	cmd.Flags().DurationVar(&w.Every, "every", time.Minute, "time between two checkpoints")
	cmd.Flags().BoolVar(&w.Once, "once", false, "compare once and end")
	return cmd
}
