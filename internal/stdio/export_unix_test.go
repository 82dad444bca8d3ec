//go:build unix

package stdio

var InPipe = inPipe
