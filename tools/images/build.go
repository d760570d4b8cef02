package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// compile runs scripts/image-build.sh, as the Dockerfile does.
func (j job) compile(ctx context.Context, name, arch, dir string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(j.root, "scripts", "image-build.sh"), name, dir)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "VERSION="+j.version, "COMMIT="+j.commit)
	return output(cmd)
}

// contents writes the CycloneDX document of an image's program. It lists each Go module that the linker recorded in it.
func (j job) contents(ctx context.Context, name, arch, dir string) error {
	out, err := filepath.Abs(j.contentsPath(name, arch))
	if err != nil {
		return err
	}
	binary, err := filepath.Abs(filepath.Join(dir, "root", name))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-version", j.version, "-output", out, binary)
	cmd.Dir = filepath.Join(j.root, "tools", "images") // its go.mod pins the tool
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return output(cmd)
}

func (j job) contentsPath(name, arch string) string {
	return filepath.Join(j.out, name+"-"+arch+".cdx.json")
}

// output runs a command. The error of a failed one has its output.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}
