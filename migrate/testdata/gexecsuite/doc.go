// Package gexecsuite tests a command from outside.
package gexecsuite
