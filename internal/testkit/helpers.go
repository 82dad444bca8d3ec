package testkit

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"sync"
	"testing"
)

func init() {
	share("cat", helperCat)
	share("exit", func(args []string) int { return Atoi(args[0]) })
	share("held", helperHeld)
	share("hold", helperHold)
	share("holder", helperHolder)
	share("readsome", helperReadSome)
	share("say", helperSay)
	share("serve", helperServe)
}

// Atoi is for the arguments of helper commands.
func Atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// helperCat copies its input, then exits with the code it is given.
func helperCat(args []string) int {
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if len(args) > 0 {
		return Atoi(args[0])
	}
	return 0
}

// helperSay writes arguments of the form o:text and e:text to its output and
// error output, and exits with the code in one of the form x:code. At r: it waits
// for a byte of its input, or the end; at d: until what it has written was read,
// where it can find that out.
func helperSay(args []string) (code int) {
	for _, arg := range args {
		switch text := arg[2:]; arg[:2] {
		case "o:":
			io.WriteString(os.Stdout, text)
		case "e:":
			io.WriteString(os.Stderr, text)
		case "r:":
			os.Stdin.Read(make([]byte, 1))
		case "d:":
			awaitReader(os.Stdout)
			awaitReader(os.Stderr)
		case "x:":
			code = Atoi(text)
		}
	}
	return code
}

// helperServe says that it is ready, and exits with the code it is given when
// its input ends.
func helperServe(args []string) int {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return Atoi(args[0])
}

// helperHold starts a process that keeps the output open until the connection
// to the address ends, then goes on as another helper command.
func helperHold(args []string) int {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	holder := exec.Command(exe, HelperArg, "holder", args[0])
	holder.Stdout, holder.Stderr = os.Stdout, os.Stderr
	if err := holder.Start(); err != nil {
		panic(err)
	}
	return RunHelper(args[1], args[2:])
}

func helperHolder(args []string) int {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 1
	}
	io.Copy(io.Discard, conn)
	return 0
}

// HolderAddr returns the address for the helper command "hold". What it leaves
// behind ends with the test.
func HolderAddr(t testing.TB) string {
	t.Helper()
	NeedHelper(t, "holder")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	over := make(chan struct{})
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				<-over
				conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		close(over)
		l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

// Signature lists the parameters and results of a method, without receiver.
func Signature(f reflect.Type) (list []reflect.Type) {
	for i := 1; i < f.NumIn(); i++ {
		list = append(list, f.In(i))
	}
	list = append(list, nil)
	for i := range f.NumOut() {
		list = append(list, f.Out(i))
	}
	if f.IsVariadic() {
		list = append(list, nil)
	}
	return list
}

// helperHeld holds what it was given until its descriptor 3 ends.
func helperHeld([]string) int {
	io.Copy(io.Discard, os.NewFile(3, "release"))
	return 0
}

// Complain prints what is wrong, and returns the exit code for that.
func Complain(what ...any) int {
	fmt.Println(what...)
	return 1
}

// helperReadSome reads so many bytes of its input, in one call each.
func helperReadSome(args []string) int {
	var b [1]byte
	for range Atoi(args[0]) {
		if _, err := os.Stdin.Read(b[:]); err != nil {
			return 1
		}
		os.Stdout.Write(b[:])
	}
	return 0
}
