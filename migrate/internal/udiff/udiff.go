// Package udiff prints unified diffs.
package udiff

import (
	"fmt"
	"strings"
)

const context = 3

// Diff returns the unified diff that turns before into after, or "".
func Diff(name, before, after string) string {
	a, b := lines(before), lines(after)
	ops := script(a, b)
	var out strings.Builder
	for i := 0; i < len(ops); {
		if ops[i].kind == ' ' {
			i++
			continue
		}
		// A hunk: changes with less than two contexts between them.
		lo, hi, gap := max(0, i-context), i, 0
		for j := i; j < len(ops) && gap <= 2*context; j++ {
			if ops[j].kind == ' ' {
				gap++
			} else {
				hi, gap = j+1, 0
			}
		}
		hi = min(len(ops), hi+context)
		if out.Len() == 0 {
			fmt.Fprintf(&out, "--- %s.orig\n+++ %s\n", name, name)
		}
		writeHunk(&out, ops, lo, hi)
		i = hi
	}
	return out.String()
}

// An op keeps (' '), deletes ('-') or inserts ('+') a line.
type op struct {
	kind byte
	line string
}

func writeHunk(out *strings.Builder, ops []op, lo, hi int) {
	count := func(ops []op, kind byte) (n int) {
		for _, o := range ops {
			if o.kind == ' ' || o.kind == kind {
				n++
			}
		}
		return n
	}
	side := func(kind byte) string {
		start, n := count(ops[:lo], kind)+1, count(ops[lo:hi], kind)
		if n == 0 {
			start--
		}
		return fmt.Sprintf("%d,%d", start, n)
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", side('-'), side('+'))
	for _, o := range ops[lo:hi] {
		out.WriteByte(o.kind)
		out.WriteString(o.line)
		if !strings.HasSuffix(o.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

func lines(s string) []string {
	split := strings.SplitAfter(s, "\n")
	if split[len(split)-1] == "" {
		split = split[:len(split)-1]
	}
	return split
}

// script returns the shortest edit script by a table of longest common
// subsequences, between the common head and tail.
func script(a, b []string) []op {
	var head, tail []op
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, op{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append(tail, op{' ', a[len(a)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	for len(a) > 0 || len(b) > 0 {
		i, j := len(table)-1-len(a), len(table[0])-1-len(b)
		switch {
		case len(a) > 0 && len(b) > 0 && a[0] == b[0]:
			head = append(head, op{' ', a[0]})
			a, b = a[1:], b[1:]
		case len(b) == 0 || len(a) > 0 && table[i+1][j] >= table[i][j+1]:
			head = append(head, op{'-', a[0]})
			a = a[1:]
		default:
			head = append(head, op{'+', b[0]})
			b = b[1:]
		}
	}
	for i := len(tail) - 1; i >= 0; i-- {
		head = append(head, tail[i])
	}
	return head
}
