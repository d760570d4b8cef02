package database

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
)

const (
	// EnvMigrateURL and EnvMigrateFile name the variables with the address of the owner's role: itself, or in a file.
	EnvMigrateURL  = "MIGRATE_URL"
	EnvMigrateFile = "MIGRATE_URL_FILE"

	// migrateWait is how long the command waits for the server and for other migrations: some minutes where an image is
	// pulled. What started the command runs it again.
	migrateWait = 10 * time.Minute
	// maxAddress bounds the file with the address, in bytes. An address has some hundred.
	maxAddress = 16 << 10

	exitFailed = 1
	exitUsage  = 2
)

// MigrateCommand returns the command migrate of a service. It brings the service's database up to date as the role that
// owns the tables, and exits with 0 when that is done. Any number of them may run at the same time, also next to services
// of this and of the previous version.
func MigrateCommand(sets ...Set) service.Command {
	return service.Command{
		Name: "migrate", Summary: "bring the database of the service up to date, and exit",
		Run: func(ctx context.Context, app string, args []string, out, errs io.Writer) int {
			return migrate(ctx, app, args, sets, out, errs)
		},
	}
}

func migrate(ctx context.Context, app string, args []string, sets []Set, out, errs io.Writer) int {
	flags := flag.NewFlagSet(app+" migrate", flag.ContinueOnError)
	flags.SetOutput(errs)
	wait := flags.Duration("wait", migrateWait, "how long to wait for the server, and for a migration that another process runs")
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), `%s migrate brings the database of the service up to date, and exits.

It waits for the server and for other migrations, and says every few seconds what it waits for. It may run again at any
time, several times at once, and while the service runs. A migration that is interrupted leaves no trace; run it again.

Settings:
  %s       address of the database for the role that owns its tables
  %s  file that holds this address, instead

Flags:
`, app, EnvMigrateURL, EnvMigrateFile)
		flags.PrintDefaults()
	}
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		flags.SetOutput(out)
		flags.Usage()
		return 0
	}
	if err := flags.Parse(args); err != nil {
		return exitUsage // flags has said why
	}
	switch {
	case flags.NArg() > 0:
		fmt.Fprintf(errs, "%s migrate: unknown argument %q. See %s migrate --help\n", app, flags.Arg(0), app)
		return exitUsage
	case *wait <= 0:
		fmt.Fprintf(errs, "%s migrate: --wait must be longer than zero\n", app)
		return exitUsage
	}
	if err := runMigrate(ctx, app, *wait, sets, out); err != nil {
		fmt.Fprintf(errs, "%s migrate: %v\n", app, err)
		return exitFailed
	}
	return 0
}

func runMigrate(ctx context.Context, app string, wait time.Duration, sets []Set, out io.Writer) error {
	address, err := ownersAddress()
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(out, slog.LevelInfo).With("service", app+"-migrate")
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err = postgres.Migrate(waiting, address, log, sets...)
	if err != nil && ctx.Err() != nil {
		return errors.New("stopped; the database may not be up to date")
	}
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "the database is up to date")
	return nil
}

// ownersAddress reads the address from the environment or from its file. An error shows no address.
func ownersAddress() (string, error) {
	address, file := os.Getenv(EnvMigrateURL), os.Getenv(EnvMigrateFile)
	switch {
	case address != "" && file != "":
		return "", fmt.Errorf("%s and %s are both set", EnvMigrateURL, EnvMigrateFile)
	case address != "":
		return address, nil
	case file == "":
		return "", fmt.Errorf("neither %s nor %s is set: one must hold the address of the database for the role that owns its tables", EnvMigrateURL, EnvMigrateFile)
	}
	f, err := os.Open(file) //nolint:gosec // G304: the operator who starts the migration names the file
	if err != nil {
		return "", fmt.Errorf("%s: %w", EnvMigrateFile, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxAddress+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", EnvMigrateFile, err)
	}
	if address = strings.TrimSpace(string(raw)); address == "" || len(raw) > maxAddress {
		return "", fmt.Errorf("%s: %s holds no address", EnvMigrateFile, file)
	}
	return address, nil
}
