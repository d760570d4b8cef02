package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/taskwire/taskwire/local/build"
)

func buildCommand() *cobra.Command {
	var only, daprd string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the services, taskwire, daprd and sentry",
		Long:  "Builds what is not up to date, into " + dataFolder + "/bin of the repository. daprd and sentry take some minutes, once.",
		Example: "  taskwire build\n" +
			"  taskwire build --only daprd\n" +
			"  taskwire build --daprd /usr/local/bin/daprd   # use an installed one, 1.18 or later",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := findRoot()
			if err != nil {
				return err
			}
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			out := cmd.OutOrStdout()
			cfg := build.Config{Root: root, BinDir: filepath.Join(root, dataFolder, "bin"), Out: out, TTY: isTerminal(out), Daprd: daprd}
			switch only {
			case "":
				err = build.All(ctx, cfg)
			case "daprd":
				err = build.Dapr(ctx, cfg)
			case "services":
				err = build.Services(ctx, cfg)
			default:
				return fmt.Errorf("--only %q is not one of daprd, services", only)
			}
			if errors.Is(err, context.Canceled) {
				return errors.New("interrupted; the previous builds are unchanged")
			}
			if err == nil {
				fmt.Fprintf(out, "Built into %s.\n", cfg.BinDir)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "build only this: daprd, services")
	cmd.Flags().StringVar(&daprd, "daprd", "", "an installed daprd, 1.18 or later, to use instead of building one (or TASKWIRE_DAPRD)")
	return cmd
}
