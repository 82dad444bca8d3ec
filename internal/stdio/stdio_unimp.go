//go:build !linux

package stdio

import "syscall"

const fionread = 0x4004667f // _IOR('f', 127, int), <sys/filio.h>

// enlargePipe has no means to do so.
func enlargePipe(syscall.Conn) {}
