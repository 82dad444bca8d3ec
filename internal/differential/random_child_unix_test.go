//go:build unix

package differential_test

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"example.com/xexec/internal/testkit"
)

func init() {
	testkit.Register("act", helperAct)
}

// The descriptors by which a child that acts and the test hear of each other.
const (
	readyFd   = 3 // the child writes to it when it is ready; the end says that it is gone
	gateFd    = 4 // ends when the child may go on
	releaseFd = 5 // ends when what it has left behind may go
)

// helperAct does what its arguments say, one after the other.
func helperAct(args []string) int {
	for fd := readyFd; fd <= releaseFd; fd++ {
		unix.CloseOnExec(fd)
	}
	signals := make(chan os.Signal, 1)
	for _, arg := range args {
		step, value, _ := strings.Cut(arg, ":")
		switch step {
		case "out":
			os.Stdout.Write(distinct(testkit.Atoi(value)))
		case "err":
			os.Stderr.Write(distinct(testkit.Atoi(value)))
		case "eat":
			b, err := io.ReadAll(os.Stdin)
			fmt.Printf("ate %s %v\n", sum(b), err)
		case "sip":
			b := make([]byte, 10)
			n, err := io.ReadFull(os.Stdin, b)
			fmt.Printf("sipped %s %v\n", sum(b[:n]), err)
		case "cat":
			io.Copy(os.Stdout, struct{ io.Reader }{os.Stdin})
		case "env":
			helperEnviron(nil)
		case "where":
			helperWhoAmI(nil)
		case "ids":
			pgid, _ := unix.Getpgid(0)
			sid, _ := unix.Getsid(0)
			fmt.Println(pgid == os.Getpid(), sid == os.Getpid())
		case "hold":
			hold()
		case "trap":
			signal.Notify(signals, syscall.SIGTERM)
		case "ready":
			unix.Write(readyFd, []byte{1})
		case "gate":
			if !waitAtGate(signals) {
				return 7
			}
		case "closed":
			awaitClosed(testkit.Atoi(value))
		case "fds":
			fd := testkit.Atoi(value)
			fmt.Println(kindOf(fd), kindOf(fd+1))
		case "abort":
			abort()
		case "kill":
			unix.Kill(os.Getpid(), syscall.Signal(testkit.Atoi(value)))
			select {}
		case "exit":
			return testkit.Atoi(value)
		}
	}
	return 0
}

// waitAtGate waits until the gate is opened, or reports false when a signal
// comes first.
func waitAtGate(signals chan os.Signal) bool {
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		io.Copy(io.Discard, os.NewFile(gateFd, "gate"))
	}()
	select {
	case <-opened:
		return true
	case <-signals:
		return false
	}
}

// awaitClosed waits until nobody can read what is written to a pipe. For a moment
// that may be a child of the caller's, which is between fork and exec.
func awaitClosed(fd int) {
	for err := error(unix.EINTR); err == unix.EINTR; {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 30*1000)
	}
}

// kindOf says what an open descriptor is. Go's runtime may have opened one for
// itself, which then has the place of one that was closed.
func kindOf(fd int) string {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%#o %d bytes", st.Mode, st.Size)
}

// abort dies of SIGABRT, and leaves no core file. Go's runtime would catch it.
func abort() {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	err := syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -ABRT $$"}, nil)
	panic(err)
}

// hold leaves a process behind that keeps the output open until it is released.
func hold() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	c := exec.Command(exe, testkit.HelperArg, "held")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.ExtraFiles = []*os.File{os.NewFile(releaseFd, "release")}
	if err := c.Start(); err != nil {
		panic(err)
	}
}

// distinct returns bytes of which none can be lost, doubled or moved unseen.
func distinct(n int) []byte {
	b := make([]byte, n)
	for at := 0; at < n; at += 251 {
		for i := range min(251, n-at) {
			b[at+i] = byte(i) ^ byte(at/251)
		}
	}
	return b
}

// sum stands for much data in a report.
func sum(b []byte) string {
	if len(b) <= 200 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%d bytes %08x", len(b), crc32.ChecksumIEEE(b))
}
