package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/e2e/intruder"
	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// nobody is the user and group of that name.
const nobody = 65534

// TestAStrangerOnTheMachineGetsNothing tries every port on which a process of the stack listens, as another user of the
// machine. The ports come from the kernel, so that a new one is tried as well.
func TestAStrangerOnTheMachineGetsNothing(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	const mark = "known-to-its-owner-only"
	task := u.Create(map[string]any{"title": mark, "due_date": "2030-01-01"})
	plan := intruder.Plan{UserID: u.ID, TaskID: task.ID, Mark: mark, Apps: apps.All(),
		Kafka: os.Getenv(jarsVariable) == "" && os.Getenv(brokersVariable) == "",
	}
	ports := map[int]string{}
	for _, p := range shared.Status() {
		for _, pid := range procid.Tree(p.PID) {
			plan.PIDs = append(plan.PIDs, pid)
			for _, port := range listening(t, pid) {
				ports[port] = p.Name
			}
		}
		if p.Port != 0 && ports[p.Port] == "" {
			t.Errorf("%s does not listen on its port %d: the list of ports has a hole", p.Name, p.Port)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(ports)) {
		plan.Ports = append(plan.Ports, intruder.Port{Number: number, Part: ports[number]})
	}
	for _, finding := range tryAsIntruder(t, plan) {
		t.Errorf("a stranger on the machine: %s", finding)
	}
	status, body, err := u.Do(http.MethodGet, "/api/v1/tasks?limit=200", nil, nil)
	if err != nil || status != http.StatusOK || strings.Count(string(body), `"version":1,`) != 1 || strings.Count(string(body), mark) != 1 {
		t.Errorf("the owner's tasks afterwards: %d %s, %v, want the one task as it was", status, body, err)
	}
	for _, p := range shared.Status() {
		if !p.Ready || p.PID == 0 {
			t.Errorf("%s does not run afterwards", p.Name)
		}
	}
}

// tryAsIntruder runs the intruder as another user, where this process may become one.
func tryAsIntruder(t *testing.T, plan intruder.Plan) (findings []string) {
	t.Helper()
	if os.Getuid() != 0 {
		plan.PIDs = nil // the same user may read them
	}
	raw, err := json.Marshal(plan)
	must(t, err)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = []string{intruder.Env + "=1"}
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(raw), &out, &errs
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("the intruder: %v\n%s", err, errs.String())
	}
	must(t, json.Unmarshal(out.Bytes(), &findings))
	return findings
}

// listening returns the TCP ports on which a process listens, from the kernel's tables.
func listening(t *testing.T, pid int) (ports []int) {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil // it has ended, or it is Postgres' and this is not root
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				sockets[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	const listen, localAddress, state, inode = "0A", 1, 3, 9
	for _, table := range []string{"tcp", "tcp6"} {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(raw), "\n") {
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != listen || !sockets[f[inode]] {
				continue
			}
			address, hex, _ := strings.Cut(f[localAddress], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			must(t, err)
			if address != "0100007F" && address != "00000000000000000000000001000000" {
				t.Errorf("process %d listens on %s, port %d, want loopback only", pid, address, port)
			}
			ports = append(ports, int(port))
		}
	}
	return ports
}

// TestTheStacksFilesAreForItsOwnerOnly looks at the modes of every file: one that others may read must be behind a folder
// that they cannot enter.
func TestTheStacksFilesAreForItsOwnerOnly(t *testing.T) {
	usesShared(t)
	data := filepath.Dir(filepath.Dir(shared.LogPath(stack.Gateway)))
	harmless := filepath.Join(data, "lock") // the supervisor's process id, which the list of processes shows too
	must(t, filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), path == data: // a temporary file has gone
			return nil
		case err != nil:
			return err
		}
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		mode := info.Mode()
		if entry.IsDir() {
			if mode.Perm()&0o001 == 0 {
				return fs.SkipDir
			}
			return nil
		}
		if path != harmless && mode.IsRegular() && mode.Perm()&0o006 != 0 || mode.Type() == fs.ModeSocket && mode.Perm()&0o002 != 0 {
			t.Errorf("others can open %s (mode %v)", path, mode)
		}
		return nil
	}))
}

// TestNoSecretIsInACommandLine looks at what every user of the machine can see in the list of processes.
func TestNoSecretIsInACommandLine(t *testing.T) {
	usesShared(t)
	var secrets []string
	for _, app := range apps.All() {
		_, token := shared.SidecarHTTP(app)
		secrets = append(secrets, token)
	}
	for _, p := range shared.Status() {
		for _, pid := range procid.Tree(p.PID) {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err != nil {
				continue
			}
			line := string(raw)
			for _, secret := range secrets {
				if strings.Contains(line, secret) {
					t.Errorf("%s has a token in its command line", p.Name)
				}
			}
			if strings.Contains(line, "PRIVATE KEY") || strings.Contains(line, "postgres://") {
				t.Errorf("%s has a secret in its command line", p.Name)
			}
		}
	}
}
