//go:build !linux

package supervise

import "syscall"

// setDeathSignal does nothing here. The next run's clean-up ends the processes of a dead supervisor.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
