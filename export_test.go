package xexec

// States returns how many commands have a state.
func States() (n int) {
	states.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}
