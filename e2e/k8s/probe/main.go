// Command probe looks at a cluster from within a pod, for the tests of the folder above: which addresses the pod reaches
// and how a sidecar treats a peer without a certificate. In a pod that shares the node's processes it also kills.
//
//	probe hold                     wait until SIGTERM, so that kubectl exec can run the others
//	probe reach HOST:PORT…         print a line for each address: open or closed
//	probe tls HOST:PORT            print the names in the server's certificate, and how it treats a client without one
//	probe kill CONTAINER-ID        send SIGKILL to the first process of a container of this node
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds the wait for an answer. A packet that a network policy drops is never answered.
const patience = 3 * time.Second

var dialer = &net.Dialer{Timeout: patience}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "probe hold | reach HOST:PORT… | tls HOST:PORT | kill CONTAINER-ID")
		os.Exit(2)
	}
	ctx, err := context.Background(), error(nil)
	switch args := os.Args[2:]; os.Args[1] {
	case "hold":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
	case "reach":
		reach(ctx, args)
	case "tls":
		err = handshake(ctx, args[0])
	case "kill":
		err = kill(args[0])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func reach(ctx context.Context, addrs []string) {
	lines := make([]string, len(addrs))
	var wg sync.WaitGroup
	for i, addr := range addrs {
		wg.Go(func() {
			conn, err := dialer.DialContext(ctx, "tcp", addr)
			if err != nil {
				lines[i] = addr + " closed " + err.Error()
				return
			}
			conn.Close()
			lines[i] = addr + " open"
		})
	}
	wg.Wait()
	fmt.Println(strings.Join(lines, "\n"))
}

// handshake connects without a client certificate. In TLS 1.3 the client learns of the refusal only when it reads.
func handshake(ctx context.Context, addr string) error {
	conn, err := (&tls.Dialer{
		NetDialer: dialer,
		Config:    &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}, //nolint:gosec // the test asks whether the server verifies the client, not the other way round
	}).DialContext(ctx, "tcp", addr)
	if err != nil {
		fmt.Println("refused:", err)
		return nil
	}
	defer conn.Close()
	for _, cert := range conn.(*tls.Conn).ConnectionState().PeerCertificates {
		for _, uri := range cert.URIs {
			fmt.Println("server:", uri)
		}
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		fmt.Println("refused:", err)
		return nil
	}
	fmt.Println("accepted")
	return nil
}

// kill finds the processes of the container by the names of their cgroups, and kills the one with the number 1 in the
// container's own namespace: the container ends with it. The numbers on the node say nothing, because they wrap around.
func kill(id string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(raw), id) {
			continue // it has ended, or belongs to another container
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil {
			continue
		}
		_, line, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ = strings.Cut(line, "\n")
		numbers := strings.Fields(line) // one number for each namespace, from the node's to the container's
		if len(numbers) < 2 || numbers[len(numbers)-1] != "1" {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil {
			return err
		}
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return errors.New("no process of container " + id + " is on this node")
}
