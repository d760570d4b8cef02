package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// imageUser is the user id in the Dockerfile.
const imageUser = 65532

// stack is the started docker-compose.yml.
type stack struct {
	t       *testing.T
	project *types.Project
	dir     string
	images  map[string]string // root file system by image's program
	spaces  map[string]*namespace
	in      map[string]map[string]string // the addresses of each service that has a network, by network
	address map[string]string            // the one at which the hub reaches it

	mu      sync.Mutex
	running map[string]*process
}

// process is a started container.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// holder returns the service whose network a service uses.
func holder(s types.ServiceConfig) string {
	if name, ok := strings.CutPrefix(s.NetworkMode, types.ServicePrefix); ok {
		return name
	}
	return s.Name
}

// program returns the program that runs in a service's container: the one its image is built from, or the service's name.
func program(s types.ServiceConfig) string {
	if s.Build != nil {
		return *s.Build.Args["SERVICE"]
	}
	return s.Name
}

// describe returns the container of a service. argv, if given, replaces its command.
func (s *stack) describe(svc types.ServiceConfig, argv []string) container {
	image := s.images[program(svc)]
	c := container{Root: image, ReadOnly: svc.ReadOnly, UID: imageUser, GID: imageUser, Tmpfs: svc.Tmpfs, Argv: argv}
	if argv == nil {
		c.Argv = append(slices.Clone([]string(svc.Entrypoint)), svc.Command...)
		if svc.Build != nil && len(svc.Entrypoint) == 0 {
			c.Argv = append([]string{"/service"}, svc.Command...)
		}
	}
	if !strings.HasPrefix(c.Argv[0], "/") {
		c.Argv[0] = "/usr/bin/" + c.Argv[0] // the folder in the PATH of Caddy's image
	}
	c.Env = []string{"PATH=/usr/bin"}
	for name, value := range svc.Environment {
		if value != nil {
			c.Env = append(c.Env, name+"="+*value)
		}
	}
	c.Mounts = []mount{{Source: s.hosts(holder(svc)), Target: "/etc/hosts", ReadOnly: true}}
	for _, v := range svc.Volumes {
		source := v.Source
		if v.Type == types.VolumeTypeVolume {
			source = filepath.Join(s.dir, "volumes", v.Source)
		}
		c.Mounts = append(c.Mounts, mount{Source: source, Target: v.Target, ReadOnly: v.ReadOnly})
	}
	return c
}

// create creates the mount points in the image and the volumes. A new volume takes the owner and mode of the image's folder,
// as with Docker.
func (s *stack) create(svc types.ServiceConfig) error {
	c := s.describe(svc, nil)
	for _, m := range c.Mounts {
		target := filepath.Join(c.Root, m.Target)
		source, err := os.Stat(m.Source)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := os.MkdirAll(m.Source, 0o755); err != nil {
				return err
			}
			if image, err := os.Stat(target); err == nil {
				owner := image.Sys().(*syscall.Stat_t)
				if err := errors.Join(os.Chown(m.Source, int(owner.Uid), int(owner.Gid)), os.Chmod(m.Source, image.Mode().Perm())); err != nil {
					return err
				}
			}
			err = os.MkdirAll(target, 0o755)
		case err == nil && source.IsDir():
			err = os.MkdirAll(target, 0o755)
		case err == nil:
			err = touch(target)
		}
		if err != nil {
			return err
		}
	}
	for _, t := range c.Tmpfs {
		path, _, _ := strings.Cut(t, ":")
		if err := os.MkdirAll(filepath.Join(c.Root, path), 0o755); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(c.Root, "proc"), 0o755)
}

func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// start starts the container of a service and returns without waiting for it.
func (s *stack) start(svc types.ServiceConfig, argv []string) (*process, error) {
	description, err := json.Marshal(s.describe(svc, argv))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{containerEnv + "=" + string(description)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setpgid: true}
	return s.launch(svc.Name, holder(svc), cmd)
}

// launch starts a command in a network namespace and writes its output to a file.
func (s *stack) launch(name, space string, cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, log: filepath.Join(s.dir, "log", name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := s.spaces[space].do(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { _ = cmd.Wait(); close(p.done) }()
	return p, nil
}

// up starts all services in the order of their dependencies, as `docker compose up --wait` does.
func (s *stack) up(deadline time.Duration) {
	s.t.Helper()
	end := time.Now().Add(deadline)
	pending := map[string]types.ServiceConfig{}
	for name, svc := range s.project.Services {
		pending[name] = svc
	}
	for _, name := range s.project.ServiceNames() { // all containers are created before the first is started
		if svc := pending[name]; s.images[program(svc)] != "" {
			if err := s.create(svc); err != nil {
				s.t.Fatalf("create %s: %v", name, err)
			}
		}
	}
	healthy := map[string]bool{}
	for len(pending) > 0 || len(s.unhealthy(healthy)) > 0 {
		if time.Now().After(end) {
			s.t.Fatalf("after %s these have not started: %v, these are not healthy: %v\n%s", deadline, keys(pending), s.unhealthy(healthy), s.logs())
		}
		for name, svc := range pending {
			if !s.mayStart(svc, healthy) {
				continue
			}
			p, err := s.run(svc)
			if err != nil {
				s.t.Fatal(err)
			}
			s.mu.Lock()
			s.running[name] = p
			s.mu.Unlock()
			delete(pending, name)
		}
		for _, name := range s.unhealthy(healthy) {
			healthy[name] = s.healthy(s.project.Services[name]) == nil
		}
		s.checkRunning()
		time.Sleep(200 * time.Millisecond)
	}
}

// unhealthy returns the started services that have not been healthy yet.
func (s *stack) unhealthy(healthy map[string]bool) []string {
	var names []string
	for name := range s.running {
		if s.project.Services[name].HealthCheck != nil && !healthy[name] {
			names = append(names, name)
		}
	}
	return names
}

func (s *stack) mayStart(svc types.ServiceConfig, healthy map[string]bool) bool {
	for on, how := range svc.DependsOn {
		p, started := s.running[on]
		if !started {
			return false
		}
		switch how.Condition {
		case types.ServiceConditionHealthy:
			if !healthy[on] {
				return false
			}
		case types.ServiceConditionCompletedSuccessfully:
			if !p.ended() || p.cmd.ProcessState.ExitCode() != 0 {
				return false
			}
		}
	}
	return true
}

// checkRunning fails the test when a container has ended that should run, or has failed. The test restarts none: with the
// right order of starts, none has to be restarted.
func (s *stack) checkRunning() {
	s.t.Helper()
	for name, p := range s.running {
		if p.ended() && (s.project.Services[name].Restart != types.RestartPolicyNo || p.cmd.ProcessState.ExitCode() != 0) {
			s.t.Fatalf("%s ended with %v\n%s", name, p.cmd.ProcessState, s.tail(name))
		}
	}
}

// healthy runs the health check of a service in its container.
func (s *stack) healthy(svc types.ServiceConfig) error {
	if check, ok := standIns[svc.Name]; ok {
		return check.healthy(s, svc)
	}
	var out bytes.Buffer
	description, err := json.Marshal(s.describe(svc, svc.HealthCheck.Test[1:]))
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{containerEnv + "=" + string(description)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := s.spaces[holder(svc)].do(cmd.Start); err != nil {
		return err
	}
	late := time.AfterFunc(time.Duration(*svc.HealthCheck.Timeout), func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, out.String())
	}
	return nil
}

// stop stops a container as `docker compose stop` does. It returns an error if the container had to be killed or failed.
func (s *stack) stop(name string) error {
	p, svc := s.running[name], s.project.Services[name]
	signal, grace := syscall.SIGTERM, 10*time.Second
	if svc.StopSignal == "SIGINT" {
		signal = syscall.SIGINT
	}
	if svc.StopGracePeriod != nil {
		grace = time.Duration(*svc.StopGracePeriod)
	}
	if p.ended() {
		return nil
	}
	_ = p.cmd.Process.Signal(signal) // fails if it has just ended
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s had to be killed after %s", name, grace)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %v", name, p.cmd.ProcessState)
	}
	return nil
}

// tail returns the last lines of a container's log.
func (s *stack) tail(name string) string {
	raw, err := os.ReadFile(filepath.Join(s.dir, "log", name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return name + ": " + strings.Join(lines[max(0, len(lines)-15):], "\n"+name+": ")
}

func (s *stack) logs() string {
	var all []string
	for name := range s.running {
		if !s.running[name].ended() && s.project.Services[name].HealthCheck != nil && s.healthy(s.project.Services[name]) == nil {
			continue
		}
		all = append(all, s.tail(name))
	}
	return strings.Join(all, "\n")
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
