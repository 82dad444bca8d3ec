//go:build race

package xexec_test

// raceEnabled says that the tests run under the race detector, where a process
// costs many times as much.
const raceEnabled = true
