//go:build aix || (!unix && !windows)

package stdio

import "os"

// dup has no means to do so: a Reader that is a Stdin is copied.
func dup(*os.File) (*os.File, error) { return nil, errEnded }

func undoDup(*os.File) {}
