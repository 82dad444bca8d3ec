//go:build unix

package stdio

const FIONREAD = fionread
