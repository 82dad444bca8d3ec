//go:build !race

package xexec_test

const raceDetector = false
