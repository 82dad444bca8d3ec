// Package xtest is the part of the test kit that knows xexec: helper commands run
// by it, a test written once for os/exec and xexec, trees that are looked for
// when they should be gone.
package xtest
