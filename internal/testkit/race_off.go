//go:build !race

package testkit

// RaceEnabled says that the tests run under the race detector.
const RaceEnabled = false
