// Package differential proves that xexec does what os/exec does: each test is
// written once and run with both packages, and what there is to see is compared.
// The deviations that the documentation lists have tests that show both sides.
//
//   - TestSameAsOsExec and its like: what is observed, line by line, as text.
//   - The rules: what os/exec's own tests leave unchecked.
//   - TestRandomCommandsBehaveAsUnderOsExec: random commands, made of bytes, which
//     FuzzSameAsOsExec makes as well.
//
// One case, and other random ones:
//
//	go test ./internal/differential -run 'TestSameAsOsExec/stdio/StdinPipe$'
//	XEXEC_TEST_SEED=7 XEXEC_TEST_RANDOM=5000 go test ./internal/differential -run Random
//	go test ./internal/differential -run '^$' -fuzz SameAsOsExec
package differential
