package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of every file in an image, so that the same sources give the same bytes.
var epoch = time.Unix(0, 0)

// built is an image of one architecture.
type built struct {
	arch  string
	image v1.Image
}

// assemble makes an image of the files that scripts/image-build.sh wrote: root is owned by root, owned by the user.
func assemble(dir string, s said, arch string, args map[string]string) (v1.Image, error) {
	uid, gid, err := numeric(s.user)
	if err != nil {
		return nil, err
	}
	labels, err := s.expand(args)
	if err != nil {
		return nil, err
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, part := range []struct {
		dir      string
		uid, gid int
	}{{"root", 0, 0}, {"owned", uid, gid}} {
		layer, err := layerOf(filepath.Join(dir, part.dir), part.uid, part.gid)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", arch
	cfg.Config.User, cfg.Config.Entrypoint, cfg.Config.Labels = s.user, s.entrypoint, labels
	cfg.Config.WorkingDir = "/"
	return mutate.ConfigFile(img, cfg)
}

// numeric parses UID:GID. Kubernetes' runAsNonRoot refuses a user name.
func numeric(user string) (uid, gid int, err error) {
	u, g, _ := strings.Cut(user, ":")
	uid, err1 := strconv.Atoi(u)
	gid, err2 := strconv.Atoi(g)
	if err := errors.Join(err1, err2); err != nil || uid == 0 {
		return 0, 0, fmt.Errorf("USER %s is not the UID:GID of a user other than root", user)
	}
	return uid, gid, nil
}

// layerOf packs a folder in the order of its names and without times.
func layerOf(dir string, uid, gid int) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return add(w, path, filepath.ToSlash(name), info, uid, gid)
	})
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("pack %s: %w", filepath.Base(dir), err)
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

func add(w *tar.Writer, path, name string, info fs.FileInfo, uid, gid int) error {
	target := ""
	var err error
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.ModTime, h.Uid, h.Gid, h.Uname, h.Gname, h.Format = name, epoch, uid, gid, "", "", tar.FormatPAX
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
	if info.IsDir() {
		h.Name += "/"
	}
	if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// archive writes the OCI layout OUT/NAME.tar and returns its size. It annotates the name in two forms, that of the
// specification and that of containerd.
func (j job) archive(name string, all []built) (int64, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range all {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: b.image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: b.arch}},
		})
	}
	dir, err := os.MkdirTemp(j.out, ".layout-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return 0, err
	}
	err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": j.version,
		"io.containerd.image.name":          "docker.io/" + j.reference(name),
	}))
	if err != nil {
		return 0, err
	}
	return j.pack(dir, filepath.Join(j.out, name+".tar"))
}

// pack writes the layout to a file, completely or not at all.
func (j job) pack(dir, file string) (size int64, err error) {
	tmp, err := os.CreateTemp(j.out, ".archive-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp.Name()) // fails after the rename
	w := tar.NewWriter(tmp)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return add(w, path, filepath.ToSlash(name), info, 0, 0)
	})
	if err = errors.Join(err, w.Close(), tmp.Chmod(0o644)); err == nil {
		size, err = tmp.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return 0, fmt.Errorf("write %s: %w", filepath.Base(file), err)
	}
	return size, os.Rename(tmp.Name(), file)
}
