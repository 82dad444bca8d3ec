package tree

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// member returns the process that Member names, which has to be one of pids.
func (r *run) member(t *testing.T, pids ...int) *os.Process {
	t.Helper()
	p, left := r.Member()
	if p == nil || !left || !slices.Contains(pids, p.Pid) {
		t.Fatalf("Member: %v, %v; want one of %v", p, left, pids)
	}
	return p
}

// As long as the one who was named last is alive, nobody is looked for: no file is
// opened.
func TestMemberIsKept(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		needPidfds(t)
		if !alone(t, nil) {
			return
		}
		c := sh("sleep 60 & echo $!; sleep 60 & echo $!; read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		a, b := r.pidLine(t), r.pidLine(t)
		r.letGo(t)
		p := r.member(t, a, b)
		withoutDescriptors(t, func() {
			if q, left := r.Member(); q != p || !left {
				t.Errorf("%v, then %v, %v", p, q, left)
			}
		})
		syscall.Kill(p.Pid, syscall.SIGKILL)
		eventually(t, "it is dead", func() bool { return !isAlive(p.Pid) })
		first := p.Pid
		p = r.member(t, a, b)
		if p.Pid == first {
			t.Error("the dead one is named")
		}
		syscall.Kill(p.Pid, syscall.SIGKILL)
		eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
	})
}

// A look opens nobody but the one that it names.
func TestMemberOpensOne(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		needPidfds(t)
		if !alone(t, nil) {
			return
		}
		c := sh("sleep 60 & echo $!; read x")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		pid := r.pidLine(t)
		r.letGo(t)
		before := heldByPidfd() // with the leader's
		r.member(t, pid)
		if held := heldByPidfd(); len(held) != len(before)+1 || strings.Count(openFiles(t), "pidfd") != len(held) {
			t.Errorf("%v, then %v:\n%s", before, held, openFiles(t))
		}
		r.Kill()
		eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
		r.Close()
		if n := strings.Count(openFiles(t), "pidfd"); n != len(before) {
			t.Errorf("%d pidfds, before %d", n, len(before))
		}
	})
}

// Those who come later are found.
func TestMembersThatComeLater(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		needPidfds(t)
		c := sh(`sh -c 'trap "sleep 60 & echo \$!; exit" TERM; echo $$; while :; do sleep 0.01; done' & read x`)
		c.SysProcAttr = attr
		r := launch(t, c, false)
		first := r.pidLine(t)
		r.letGo(t)
		eventually(t, "the shell is named", func() bool { p, _ := r.Member(); return p != nil && p.Pid == first })
		syscall.Kill(first, syscall.SIGTERM)
		second := r.pidLine(t)
		eventually(t, "the shell is dead", func() bool { return !isAlive(first) })
		eventually(t, "its child is named", func() bool { p, _ := r.Member(); return p != nil && p.Pid == second })
		syscall.Kill(second, syscall.SIGKILL)
		eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
	})
}

// Who leaves the group is no member of it any more, though he was named.
func TestMemberThatLeavesTheGroup(t *testing.T) {
	needProc(t)
	needPidfds(t)
	c := sh("read x")
	c.SysProcAttr = plainGroup(t)
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := launch(t, c, false)
	leaver := helper("leave the group")
	leaver.Stdin = in
	leaver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: r.pid}
	out, err := leaver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := leaver.Start(); err != nil {
		t.Fatal(err)
	}
	defer leaver.Wait()
	defer leaver.Process.Kill()
	r.letGo(t)
	r.member(t, leaver.Process.Pid)
	w.Close()
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if p, left := r.Member(); left {
		t.Errorf("%v is one", p)
	}
}

func init() {
	helpers["leave the group"] = func() {
		io.ReadAll(os.Stdin)
		if _, err := syscall.Setsid(); err != nil {
			fmt.Println(err)
		}
		fmt.Println("left")
		time.Sleep(time.Minute)
	}
}

// A zombie is no member.
func TestZombieIsNoMember(t *testing.T) {
	eachKind(t, func(t *testing.T, _ Kind, attr *syscall.SysProcAttr) {
		c := helper("grandparent of zombies")
		c.SysProcAttr = attr
		r := launch(t, c, false)
		parent, zombies := r.pidLine(t), []int{r.pidLine(t), r.pidLine(t)}
		r.letGo(t)
		for _, pid := range zombies {
			eventually(t, "it is a zombie", func() bool { return state(pid) == "Z" })
		}
		for range 2 {
			if p, left := r.Member(); !left || p != nil && p.Pid != parent {
				t.Errorf("%v, %v", p, left)
			}
		}
		syscall.Kill(parent, syscall.SIGSTOP) // a stopped one is
		eventually(t, "it is stopped", func() bool { return state(parent) == "T" })
		if p, left := r.Member(); !left || p != nil && p.Pid != parent {
			t.Errorf("stopped: %v, %v", p, left)
		}
		syscall.Kill(parent, syscall.SIGKILL)
		eventually(t, "nobody is left", func() bool { _, left := r.Member(); return !left })
	})
}

func init() {
	helpers["grandparent of zombies"] = func() {
		c := helper("parent of zombies")
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			fmt.Println(err)
		}
		io.ReadAll(os.Stdin)
	}
	helpers["parent of zombies"] = func() {
		fmt.Println(os.Getpid())
		for range 2 {
			c := exec.Command("true")
			if err := c.Start(); err != nil {
				fmt.Println(err)
			}
			fmt.Println(c.Process.Pid)
		}
		time.Sleep(time.Minute)
	}
}

// Who belongs to another user and cannot be killed is not waited for.
func TestMemberOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("takes root")
	}
	c := helper("tree of nobody")
	c.SysProcAttr = asNobody(t)
	c.Dir = "/"
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	roots := exec.Command("sleep", "60")
	roots.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: pid}
	if err := roots.Start(); err != nil {
		t.Fatal(err)
	}
	defer roots.Wait()
	defer roots.Process.Kill()
	in.Close()
	b, err := io.ReadAll(out)
	if s := strings.TrimSpace(string(b)); s != "<nil> false, killed: <nil>" {
		t.Errorf("%q, %v", s, err)
	}
}

func init() {
	helpers["tree of nobody"] = func() {
		l, err := Prepare(nil, "", true, false)
		if err != nil {
			fmt.Println(err)
		}
		c := exec.Command("cat")
		c.Stdin = os.Stdin
		start(l, c)
		r := &run{Tree: l.Tree()}
		fmt.Println(r.pid)
		for !r.exited() {
		}
		p, left := r.Member()
		if p != nil {
			fmt.Println(p.Pid)
		}
		fmt.Printf("%v %v, killed: %v\n", nil, left, r.Kill())
	}
}

// What the /proc of another pid namespace says is about other processes, which have
// the same ids.
func TestMemberWithAnothersProc(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("takes root")
	}
	if !alone(t, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}) {
		return
	}
	c := sh("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; echo $!; read x")
	c.SysProcAttr = plainGroup(t)
	r := launch(t, c, false)
	pid := r.pidLine(t)
	r.letGo(t)
	if p, left := r.Member(); p != nil || left {
		t.Errorf("%v, %v", p, left)
	}
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
	eventually(t, "it is dead", func() bool { return syscall.Kill(pid, 0) != nil || wait(pid) })
	r.ReapOrphans() // does nothing
}

// wait reaps pid, which is a child of PID 1 now, if it has exited.
func wait(pid int) bool {
	got, _ := wait4(pid)
	return got == pid
}

// Without /proc nobody can be seen, and that is no error.
func TestMemberWithoutProc(t *testing.T) {
	if os.Getuid() != 0 || !alone(t, &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}) {
		if os.Getuid() != 0 {
			t.Skip("takes root")
		}
		return
	}
	c := sh("sleep 60 & read x")
	c.SysProcAttr = plainGroup(t)
	if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
		t.Skip(err)
	}
	r := launch(t, c, false)
	r.letGo(t)
	if p, left := r.Member(); p != nil || left {
		t.Errorf("%v, %v", p, left)
	}
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
}
