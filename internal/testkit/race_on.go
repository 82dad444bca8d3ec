//go:build race

package testkit

// RaceEnabled says that the tests run under the race detector, where a process
// costs many times as much.
const RaceEnabled = true
