package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// compile runs the script that the Dockerfile runs.
func (j job) compile(ctx context.Context, name, arch, dir string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(j.root, "scripts", "image-build.sh"), name, dir)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "VERSION="+j.version, "COMMIT="+j.commit)
	return output(cmd)
}

// contents writes the CycloneDX document of an image's binary: each Go module in it, by what the linker wrote there.
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
	cmd.Dir = filepath.Join(j.root, "tools", "images") // whose go.mod pins the tool
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return output(cmd)
}

func (j job) contentsPath(name, arch string) string {
	return filepath.Join(j.out, name+"-"+arch+".cdx.json")
}

// output runs a command and says what it said when it fails.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}
