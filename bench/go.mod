module example.com/xexec/bench

go 1.26.0

require example.com/xexec v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace example.com/xexec => ../
