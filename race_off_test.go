//go:build !race

package xexec_test

const raceEnabled = false
