// Package testkit is what the tests of this module share, written once: the test
// binary as its own helper command, handshakes and deadlines, sandboxes and
// refused system calls, what is left at the end of a run, and questions to the
// kernel about what it can do. It does not import the package that it tests,
// so the rooms below that can use it, too. What needs xexec is in xtest.
//
// A test that lacks something is skipped, with the reason, by a Need function.
// A test that is stuck ends the run within a minute.
package testkit
