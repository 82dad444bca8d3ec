//go:build linux

package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newGroup(t *testing.T) *Group {
	t.Helper()
	g := New()
	if g == nil {
		t.Skip("no cgroup can be made here")
	}
	t.Cleanup(func() {
		if t.Skipped() {
			syscall.Rmdir(g.dir.Name())
		} else if dir, err := os.Stat(g.dir.Name()); err == nil && dir.IsDir() {
			t.Error("left:", g.dir.Name())
			os.WriteFile(g.dir.Name()+"/cgroup.kill", []byte("1"), 0)
		}
	})
	return g
}

// startIn starts a shell in g, which has written one line when startIn returns it.
func startIn(t *testing.T, g *Group, script string) (c *exec.Cmd, line string) {
	t.Helper()
	c = exec.Command("sh", "-c", script)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip("no process can be started in a cgroup:", err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return c, strings.TrimSpace(line)
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not true in time: %s", what)
		}
	}
}

func nobody(int) bool { return false }

func exists(dir string) bool { _, err := os.Stat(dir); return err == nil }

func TestGroup(t *testing.T) {
	g := newGroup(t)
	if g.Populated() || g.Pids() != nil {
		t.Error("somebody is in it before there is anybody")
	}
	c, line := startIn(t, g, "sleep 60 & echo $!; read x; exec sleep 60")
	var child int
	fmt.Sscan(line, &child)
	got, want := g.Pids(), []int{c.Process.Pid, child}
	slices.Sort(got)
	slices.Sort(want)
	if !g.Populated() || !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !g.Has(child) || g.Has(os.Getpid()) || g.Has(1<<30) {
		t.Error("Has is wrong")
	}
	if reached, err := g.Signal(0, nobody); !reached || err != nil {
		t.Error(reached, err)
	}
	if reached, err := g.Signal(syscall.SIGKILL, func(pid int) bool { return pid == c.Process.Pid }); !reached || err != nil {
		t.Error(reached, err)
	}
	eventually(t, "the child is dead", func() bool { return slices.Equal(g.Pids(), []int{c.Process.Pid}) })
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	eventually(t, "it is empty", func() bool { return !g.Populated() })
	if !g.Has(c.Process.Pid) {
		t.Error("it does not have its zombie")
	}
	if reached, err := g.Signal(0, nobody); reached || err != nil {
		t.Error("empty:", reached, err)
	}
	g.Remove()
	if exists(g.dir.Name()) {
		t.Error("it exists")
	}
	if !g.Has(c.Process.Pid) {
		t.Error("removed, it does not have its zombie")
	}
}

// Remove ends who is left, also below.
func TestRemove(t *testing.T) {
	g := newGroup(t)
	nested := g.dir.Name() + "/a/b"
	if err := os.MkdirAll(nested, 0o755); err != nil {
		t.Fatal(err)
	}
	c, _ := startIn(t, g, `trap "" TERM; echo $$ >`+nested+`/cgroup.procs; echo moved; while :; do (:) & done`)
	if !g.Has(c.Process.Pid) || !g.Populated() {
		t.Error("who is below is not in it")
	}
	removed(t, g)
	if err := c.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Error(err)
	}
}

// A kill that the system refuses is an error. One of a cgroup that has gone is none.
func TestKillRefused(t *testing.T) {
	g := newGroup(t)
	kill := g.kill
	g.kill, _ = os.Open(os.DevNull)
	if err := g.Kill(); err == nil || !strings.HasPrefix(err.Error(), "xexec: cgroup.kill: ") {
		t.Error(err)
	}
	g.kill.Close()
	g.kill = kill
	if err := syscall.Rmdir(g.dir.Name()); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(); err != nil || g.Populated() {
		t.Error("removed by somebody else:", err)
	}
	g.Remove()
}

// removed removes g, for which a busy machine may need more time than Remove has.
func removed(t *testing.T, g *Group) {
	t.Helper()
	g.Remove()
	eventually(t, "it is removed", func() bool { sweep(filepath.Dir(g.dir.Name())); return !exists(g.dir.Name()) })
}

// What is abandoned stays while somebody is in it, and goes with a later New.
func TestAbandon(t *testing.T) {
	g := newGroup(t)
	c, _ := startIn(t, g, "echo; read x; exec sleep 60")
	g.Abandon()
	dir := g.dir.Name()
	newGroup(t).Remove()
	if !exists(dir) {
		t.Fatal("it was removed with somebody in it")
	}
	c.Process.Kill()
	c.Wait()
	newGroup(t).Remove()
	if exists(dir) {
		t.Error("it exists")
	}
	empty := newGroup(t)
	empty.Abandon()
	if exists(empty.dir.Name()) {
		t.Error("an empty one stays")
	}
	if len(swept.left) != 0 {
		t.Errorf("noted: %v", swept.left)
	}
}

// What a killed program has left is removed by the next one's New: if the program is
// gone, and the cgroup empty.
func TestSweep(t *testing.T) {
	g := newGroup(t)
	own := filepath.Dir(g.dir.Name())
	gone := exec.Command("true")
	gone.Run()
	alive := exec.Command("sleep", "60")
	alive.Start()
	defer func() { alive.Process.Kill(); alive.Wait() }()
	mkdir := func(name string) string {
		dir := own + "/" + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Rmdir(dir) })
		return dir
	}
	name := func(pid int, of uint64, n int) string { return fmt.Sprintf(nameFormat, pid, of, n) }
	left := mkdir(name(gone.Process.Pid, namespace(), 1))
	os.MkdirAll(left+"/a/b", 0o755)
	busy := mkdir(name(gone.Process.Pid, namespace(), 2))
	others := []string{
		mkdir(name(alive.Process.Pid, namespace(), 1)),
		mkdir(name(gone.Process.Pid, namespace()+1, 1)),  // of another pid namespace
		mkdir(fmt.Sprintf("xexec-test-%d", os.Getpid())), // another's name
		mkdir(fmt.Sprintf("xexec-%d", gone.Process.Pid)),
	}
	f, err := os.Open(busy)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sleep", "60")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	newGroup(t).Remove()
	if exists(left) {
		t.Error("what is left of one that has gone is still there")
	}
	for _, dir := range append(others, busy) {
		if !exists(dir) {
			t.Error(dir, "was removed")
		}
	}
	c.Process.Kill()
	c.Wait()
	swept.last = time.Time{} // a second later
	g.Remove()
	newGroup(t).Remove()
	if exists(busy) {
		t.Error("it is there when nobody is in it any more")
	}
}

// A start seldom lists all cgroups.
func TestSweepLooksSeldom(t *testing.T) {
	// Others make cgroups beside ours, too, for which it has to look.
	for range 100 {
		a := newGroup(t)
		before := swept.last
		b := newGroup(t)
		b.Remove()
		c := newGroup(t)
		looked := swept.last != before
		c.Abandon()
		a.Remove()
		if !looked {
			return
		}
	}
	t.Error("it looks each time")
}
