// Package intruder is another user of the machine who has none of the stack's secrets. He tries every port with every
// protocol. What he may get is what a port shows everybody: that it is alive, its metrics, and the public API's own
// documents.
package intruder

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Env turns a process into the intruder: its standard input is a Plan, its output a list of findings.
const Env = "TASKWIRE_INTRUDER"

const (
	// attemptTimeout bounds one attempt. A port that does not speak the protocol may not answer at all.
	attemptTimeout = 3 * time.Second
	// together is how many ports are tried at the same time.
	together = 8
)

// Port is one port of the stack on this machine.
type Port struct {
	Number int
	Part   string // which part's process listens there
}

// Plan is what the intruder knows. It is more than a real one would: the ids of a user and his task, and every app's name.
type Plan struct {
	Ports          []Port
	PIDs           []int
	Apps           []string
	UserID, TaskID string
	Mark           string // text in the task: he must never see it
	Kafka          bool   // the broker is the stack's own, which asks for a password
}

// Main reads the plan, tries everything and prints the findings. It returns the exit code.
func Main(in io.Reader, out, errs io.Writer) int {
	var p Plan
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		fmt.Fprintln(errs, "intruder: read the plan:", err)
		return 1
	}
	if err := json.NewEncoder(out).Encode(p.try(context.Background())); err != nil {
		fmt.Fprintln(errs, "intruder:", err)
		return 1
	}
	return 0
}

// try returns what the intruder could do and should not.
func (p Plan) try(ctx context.Context) []string {
	var (
		mu       sync.Mutex
		findings = []string{} // not null in JSON
		wait     sync.WaitGroup
		slots    = make(chan struct{}, together)
	)
	for _, port := range p.Ports {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			report := func(format string, args ...any) {
				mu.Lock()
				defer mu.Unlock()
				findings = append(findings, fmt.Sprintf("%s, port %d: ", port.Part, port.Number)+fmt.Sprintf(format, args...))
			}
			p.tryHTTP(ctx, port, report)
			p.tryGRPC(ctx, port, report)
			p.trySentry(ctx, port, report)
			p.tryPostgres(ctx, port, report)
			if p.Kafka {
				p.tryKafka(ctx, port, report)
			}
		})
	}
	wait.Wait()
	for _, pid := range p.PIDs {
		if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil {
			findings = append(findings, fmt.Sprintf("reads the environment of process %d (%d bytes)", pid, len(raw)))
		}
	}
	slices.Sort(findings)
	return findings
}

// tells reports whether an answer has something of the user's.
func (p Plan) tells(answer string) bool {
	return strings.Contains(answer, p.Mark)
}
