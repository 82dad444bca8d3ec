package xexec_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/xexec"
)

// Only a stream that proves to be large gets a large pipe.
func TestPipeIsEnlargedForLargeOutput(t *testing.T) {
	deadline(t, stuck)
	for _, n := range []int{10, 500_000, 5 << 20} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		before := pipeSize(t, r)
		written := make(chan error)
		want := numbered(n)
		go func() {
			_, err := w.Write(want)
			w.Close()
			written <- err
		}()
		var c xexec.Capture
		read, err := c.ReadFrom(r)
		if read != int64(n) || err != nil {
			t.Errorf("ReadFrom: %d, %v", read, err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		if got := c.Take(); !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes, or not the same", len(got), n)
		}
		after := pipeSize(t, r)
		if large := n > 1<<20; large != (after > before) {
			t.Errorf("after %d bytes the pipe holds %d, before %d", n, after, before)
		}
	}
}

func pipeSize(t testing.TB, r *os.File) (size int) {
	t.Helper()
	conn, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Control(func(fd uintptr) { size, err = unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// What a large output was collected in is not kept.
func TestLargeOutputIsGivenBack(t *testing.T) {
	deadline(t, stuck)
	const n = 16 << 20
	one := numbered(n)
	collect := func() {
		var c xexec.Capture
		c.Write(one)
		if got := c.Take(); !bytes.Equal(got, one) {
			t.Fatalf("%d of %d bytes, or not the same", len(got), n)
		}
	}
	collect()
	before := dataSize(t)
	rounds := 0
	for end := time.Now().Add(stuck / 8); rounds < 60 && (rounds < 30 || time.Now().Before(end)); rounds++ {
		collect()
	}
	runtime.GC()
	if grown := dataSize(t) - before; grown > n*rounds/2 {
		t.Errorf("%d MB more are mapped after %d times %d MB", grown>>20, rounds, n>>20)
	}
}

// dataSize returns the size of this process's data, mapped or on the heap.
func dataSize(t testing.TB) int {
	t.Helper()
	var size, resident, shared, text, lib, data int
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared, &text, &lib, &data); err != nil {
		t.Fatal(err)
	}
	return data * os.Getpagesize()
}
