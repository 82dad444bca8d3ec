package main

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
)

// short is set during the phase in which starts may fail for want of descriptors.
// All that runs already is to go on as ever.
var short atomic.Bool

const allFiles = math.MaxInt

// fewFiles is a limit on descriptors that lets some commands start, or none.
func fewFiles(rnd *rand.Rand) int {
	const none = 8
	if rnd.IntN(3) == 0 {
		return none
	}
	return none + rnd.IntN(2**workers+1)
}
