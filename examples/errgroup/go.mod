module example.com/xexec/examples/errgroup

go 1.26.0

require example.com/xexec v0.9.0

require (
	golang.org/x/sync v0.25.0
	golang.org/x/sys v0.49.0 // indirect
)
