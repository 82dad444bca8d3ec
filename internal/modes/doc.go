// Package modes proves that xexec keeps its promises in other environments: older
// kernels, refused system calls, control groups that cannot be used, a process id
// that is used again. A test process changes its own environment for that, see
// testkit.Sandboxes.
//
// All tests of a package in a sandbox, here the root's without pidfds:
//
//	go test -c -o xexec.test . && ./xexec.test xexec-test-helper sandbox pidfd -test.v
//
// .ci/modes does so for all packages. With XEXEC_TEST_LONG=1 the tests here do
// it, too.
package modes
