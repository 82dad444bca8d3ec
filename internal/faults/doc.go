// Package faults proves what happens when something goes wrong around a command:
// readers and writers that fail, no descriptors, no processes, a status that
// somebody else takes, a child that is stopped or traced. After each fault, the
// error says what it was, nothing is left, and the next command works.
//
// Faults that concern a whole process run in a child, which prints what is wrong:
//
//	go test ./internal/faults -run TestWait4OfAnyChild
//
// TestClockStep sets the machine's clock, and runs only with XEXEC_TEST_CLOCK=1.
package faults
