// Command images builds Taskwire's images and a list of contents of each (CycloneDX) without Docker. `make images` runs it
// on machines without Docker.
//
// An image is an OCI archive, OUT/NAME.tar, with one image for each architecture. `docker load`, `ctr images import`,
// `podman load` and `skopeo copy oci-archive:` read it. Its files come from scripts/image-build.sh and its configuration
// from the last stage of the Dockerfile, so that both ways give the same image. Its bytes depend on the sources, the
// version and the commit only.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// Names are the names of all images: the services, the operator's tool, which also prepares a deployment, and the sidecar.
var Names = []string{"task-api", "recurring-task", "audit", "audit-signer", "notification", "websocket", "taskwire", "daprd"}

// job holds the settings of a run.
type job struct {
	root    string // the folder of the repository
	out     string
	version string
	commit  string
	arches  []string
	prefix  string // of the images' names, PREFIX/NAME:VERSION
	say     io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	j := job{say: os.Stdout}
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.StringVar(&j.root, "root", "../..", "the repository")
	flags.StringVar(&j.out, "out", "../../.taskwire/images", "folder for the archives")
	flags.StringVar(&j.version, "version", "dev", "version to stamp, and the tag")
	flags.StringVar(&j.commit, "commit", "unknown", "commit to stamp")
	flags.StringVar(&j.prefix, "prefix", "taskwire", "prefix of the images' names")
	arches := flags.String("arch", "amd64,arm64", "architectures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	j.arches = strings.Split(*arches, ",")
	names := flags.Args()
	if len(names) == 0 {
		names = Names
	}
	for _, name := range names {
		if err := j.build(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// build builds one image for all architectures, and its lists of contents.
func (j job) build(ctx context.Context, name string) error {
	said, err := readDockerfile(filepath.Join(j.root, "Dockerfile"))
	if err != nil {
		return err
	}
	var all []built
	for _, arch := range j.arches {
		dir := j.tree(name, arch)
		if err := j.compile(ctx, name, arch, dir); err != nil {
			return err
		}
		img, err := assemble(dir, said, arch, map[string]string{"SERVICE": name, "VERSION": j.version, "COMMIT": j.commit})
		if err != nil {
			return err
		}
		if err := j.contents(ctx, name, arch, dir); err != nil {
			return err
		}
		all = append(all, built{arch: arch, image: img})
	}
	size, err := j.archive(name, all)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.say, "%s  %s  %.1f MB as an archive\n", filepath.Join(j.out, name+".tar"), j.reference(name), float64(size)/1e6)
	return err
}

func (j job) reference(name string) string { return j.prefix + "/" + name + ":" + j.version }

// tree returns the folder into which scripts/image-build.sh writes the files of an image.
func (j job) tree(name, arch string) string { return filepath.Join(j.out, "trees", arch, name) }
