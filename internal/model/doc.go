// Package model proves that the methods of a command keep their promises in any
// order: goroutines call random ones of one command, and each answer is held
// against what was known before the call.
//
// A failure names its seed:
//
//	XEXEC_TEST_SEED=123 XEXEC_TEST_RANDOM=1000 go test ./internal/model
package model
