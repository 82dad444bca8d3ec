//go:build unix && !linux

package model_test

// What is only seen on Linux.

func processState(int) string { return "" }

func isOurs(int) bool { return false }

func isZombieSoon(int) bool { return true }

func hasExited(int) (exited, ours bool) { return false, true }
