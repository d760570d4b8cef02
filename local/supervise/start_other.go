//go:build !linux

package supervise

import "syscall"

// setDeathSignal does nothing: the next start's clean-up is all there is.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
