// Package xexec runs external commands. It is os/exec, used by changing one
// import line, with processes that many may share:
//
//	import exec "example.com/xexec"
//
// Everything that compiled with os/exec compiles with it and does the same, save
// the deviations listed below, each of which removes a failure. [Cmd] is
// os/exec's struct under another name, its errors are os/exec's types and
// values, and looking up, preparing and forking are left to the os/exec that the
// program is built with.
//
// # Waiting
//
// [Cmd.Wait] may be called by any number of goroutines, any number of times, and
// all get the same result. [Cmd.WaitContext] can be left, [Cmd.TryWait] does not
// block, [Cmd.Done] is for a select. They first observe the exit without reaping
// the process, then reap it (in one call where a pidfd makes that as safe); what
// follows (the rest of the output, the result) is taken on by whichever of them
// comes next. While nobody waits, nothing runs
// and nothing is reaped: an exited process stays a zombie, which keeps its
// process id and group id from being used again.
//
// # Signals
//
// [Cmd.Kill] and [Cmd.Signal] may be called from any goroutine at any time. A
// signal is sent only while the exit of the process has not been seen, and the
// process is reaped only after that, or the signal goes to a pidfd: so it never
// reaches another process that has got the id since. They return [os.ErrProcessDone] once the process
// has exited, whether or not it was reaped.
//
// [Cmd.Terminate] asks a command to stop, and [Cmd.Shutdown] sees to it that it
// does: it asks, waits until a context ends, then kills.
//
// # Trees
//
// With [Cmd.SetTree], the command and all that it starts are one unit, which
// signals, Shutdown and contexts reach as a whole. When the command exits by
// itself, what is left of its tree is killed before Wait returns; when it was
// asked to stop, the others have until the deadline to clean up. So a context
// ends "sleep 50 | cat" on time, and nothing of it is left.
//
// What holds a tree together depends on the system, and [Cmd.TreeKind] tells. On
// Windows it is a job object, which no descendant can leave. On Unix it is a
// process group, which a descendant leaves with setsid(2): it is then neither
// signalled nor killed. On Linux, where this process may make a cgroup (version
// 2), the tree is born into one of its own, and setsid does not help. That is so
// for root in most containers and in a delegated systemd scope, and not for an
// ordinary user's login session.
//
// [Cmd.SetKillOnParentExit] makes the system kill the command when this process
// ends, however it ends.
//
// # Contexts
//
// [CommandContext] is as in os/exec. [Cmd.RunContext], [Cmd.StartContext],
// [Cmd.OutputContext] and [Cmd.CombinedOutputContext] take the context when the
// command starts, and their error for a command that the context has ended tells
// both how it exited and why: errors.As finds the [*ExitError], errors.Is the
// context's error and its cause. [Cmd.Cause] tells the reason to code that keeps
// to os/exec's methods. A failure that merely coincides with the context's end
// is not blamed on it.
//
// As in os/exec, a command without WaitDelay is complete only when its output
// has come to an end, so a descendant that holds that open can delay Wait past
// the command's death.
//
// # Functions that take an *exec.Cmd
//
// [Cmd.Std] and [FromStd] convert between the two types; the object is one and
// the same, so what such a function sets, such as Process, is set here. It may
// start the command: what follows the start works as for any other.
//
//	tty, err := pty.Start(cmd.Std())
//
// # Deviations from os/exec
//
//   - A second or concurrent Wait returns the result of the first, instead of
//     an error, a hang or a race (golang/go#28461, golang/go#67642).
//   - Wait never discards output. What the command wrote before it exited can be
//     read from StdoutPipe and StderrPipe while, and after, Wait returns; then
//     the reader sees [io.EOF], never "file already closed" (golang/go#19685).
//   - StdoutPipe and StderrPipe return a reader that has the methods of
//     [os.File] but is not one.
//   - No goroutine watches a context, so a command that was started with one
//     and is never waited for leaks none (golang/go#52580).
//   - Start retries, for at most about 0.1 s, when the program file is still open
//     for writing in a child that another goroutine has just forked
//     (golang/go#22315). A file that is really being written fails as before.
//   - WaitDelay bounds Wait also when a Stdin reader never returns
//     (golang/go#7990).
//   - The default Cancel does not claim to have killed a command that had exited
//     by itself, so that is not blamed on its context.
//   - One pair of descriptors of the null device is opened once and shared.
//
// # Platforms
//
// On Linux an exit is observed with waitid(2) and WNOWAIT, through the pidfd that
// [os.Process] has or, where there is none (before Linux 5.4, under a seccomp
// filter), by process id. A few waits block a thread each, and reap in the same
// call; all others share one epoll(7) set of those pidfds, which takes neither a
// thread nor a descriptor for each child. Without pidfds, each waited-for child
// takes a thread.
//
// On macOS and the BSDs one kqueue(2) and one thread serve all waits.
//
// On Windows a wait blocks a thread on the process handle, as in os/exec.
// [os.Kill] and [os.Interrupt] are the only signals, and Interrupt and Terminate
// are CTRL_BREAK to a console process group: see [Cmd.Signal].
//
// On Solaris, AIX and Plan 9 the exit cannot be observed without reaping: waiting
// is os/exec's Wait in a goroutine that the waiters share, and a signal is as
// safe as [os.Process] makes it. Trees are errors that are
// [errors.ErrUnsupported]. On Plan 9, output that was not read when Wait returns
// is lost, as under os/exec. On js and wasip1 no command can be started.
package xexec
