//go:build !unix

package main

func limitFiles(int) bool { return false }

func isShortage(error) bool { return false }
