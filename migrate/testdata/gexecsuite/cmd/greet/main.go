// Command greet is what the suite tests.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-fail" {
		fmt.Fprintln(os.Stderr, "told to fail")
		os.Exit(9)
	}
	s := bufio.NewScanner(os.Stdin)
	for s.Scan() {
		fmt.Println("hello,", s.Text())
	}
}
