//go:build !linux

package ports

func freeRange() (low, high int) { return lowest, fallbackHighest }
