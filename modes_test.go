package xexec_test

// withoutEnv names, in a run of the suite, what that run does without. The
// tests of a mode set it for the child in which they run the whole suite, and
// are skipped there.
const withoutEnv = "XEXEC_TEST_WITHOUT"
