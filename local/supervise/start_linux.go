package supervise

import "syscall"

// setDeathSignal asks the kernel to send sig when the thread that started the process ends.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
