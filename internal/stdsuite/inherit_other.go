//go:build !unix

package stdsuite

func keepOwn() {}
