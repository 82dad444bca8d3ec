// Package xexec runs external commands. It is os/exec, used by changing one import
// line, with processes that many goroutines may share:
//
//	import exec "example.com/xexec"
//
// A program that uses os/exec does the same with xexec, save the deviations listed
// below, each of which removes a failure. [Cmd] is os/exec's struct under another name,
// the errors are os/exec's, and looking up, preparing and forking are left to the
// os/exec that the program is built with.
//
// # Waiting
//
// Any number of goroutines may wait, any number of times, and all get the same result.
// [Cmd.WaitContext] waits as long as a context lasts, [Cmd.TryWait] does not block,
// [Cmd.Done] is for a select. While nobody waits, nothing is reaped: an exited process
// stays a zombie, and keeps its process id.
//
// # Signals
//
// [Cmd.Kill] and [Cmd.Signal] may be called at any time. They never reach another
// process with the same id: they send only while the exit has not been seen, and the
// process is reaped only after that. [Cmd.Shutdown] asks, waits, then kills.
//
// # Contexts
//
// A context given to [CommandContext], or to [Cmd.RunContext] and the like, ends the
// command; a command may have both. [Cmd.SetGracePeriod] makes them ask first. The end
// of [Cmd.WaitContext]'s context ends only the waiting; when that of [Cmd.Shutdown]
// ends, the command is killed. In the Context methods' errors, [errors.As] finds the
// [*ExitError], and [errors.Is] the context's error and its cause. [Cmd.Cause] tells
// the reason to code that keeps to os/exec's methods.
//
// A Cancel of the caller's may call Signal, Kill, Terminate and Shutdown. It must not
// wait for the command (Wait, WaitContext, Done), which is complete only when it has
// returned. While it runs, a process that was alive when it was called is not reaped.
//
// # Trees
//
// With [Cmd.SetTree], the command and all that it starts are one unit. [Cmd.TreeKind]
// tells what holds it together, and so who is in it:
//
//   - [Cgroup], on Linux where this process may make a child of its own cgroup in a
//     version 2 hierarchy (as root, or in a delegated systemd scope), with cgroup.kill
//     (Linux 5.14): every descendant that does not move to another cgroup, as root may.
//   - [ProcessGroup], on other Linux systems, macOS and the BSDs: the process group of
//     the leader. A descendant that leaves it, as daemons do with setsid(2), is not in
//     the tree. Some systems do not show who is left in a group (NetBSD, OpenBSD,
//     DragonFly, 32-bit FreeBSD, Linux without a /proc of our pid namespace): there the
//     rest is killed when the leader exits, also after Terminate.
//   - [JobObject], on Windows: every descendant.
//
// A member that cannot be killed, as it is another user's, is not waited for. One that
// does not die when killed, as the kernel holds it, is waited for without a bound. Where
// this process is PID 1 or a subreaper, members that become its children are reaped with
// the tree, and no others. If somebody else has reaped the leader of a group, the rest
// can be reached on Linux 6.9 and later only.
//
// SysProcAttr is not modified. It may ask for a session (Setsid), or for the foreground
// of a terminal, which goes back to the group that had it when the tree ends. A tree in
// the background that reads from its terminal is stopped by the system (SIGTTIN): give
// it another Stdin, or the foreground. The group of another process (Pgid), and Ptrace,
// contradict SetTree. With a cgroup of the caller's (UseCgroupFD), the tree is the
// process group. A command that os/exec has started is a tree if it leads a group
// (Setpgid, Setsid).
//
// # Functions that take an *exec.Cmd
//
// A function that takes os/exec's type gets [Cmd.Std], and what returns it goes through
// [FromStd]. The object is the same on both sides. Such a function may start the
// command: what follows the start works as for any other.
//
//	tty, err := pty.Start(cmd.Std())
//
// # Deviations from os/exec
//
//  1. A second or concurrent Wait returns the first one's result ([golang/go#28461]).
//  2. Output is not discarded, by Wait or by WaitDelay. What the command wrote can be
//     read from StdoutPipe and StderrPipe while, and after, Wait returns; then comes
//     [io.EOF], never "file already closed" ([golang/go#19685]).
//  3. The readers of StdoutPipe and StderrPipe have the methods of [os.File] but are
//     not one.
//  4. No goroutine watches a context of package context ([golang/go#52580]).
//  5. Start retries for 0.1 s when the program file is busy ([golang/go#22315]).
//  6. WaitDelay bounds Wait also when a Stdin reader never returns ([golang/go#7990]).
//  7. The default Cancel does not claim to have killed a command that had exited.
//  8. One pair of descriptors of the null device is opened once and shared.
//
// # Unix and Plan 9
//
// On Linux an exit is seen with waitid(2) and WNOWAIT, by the pidfd of [os.Process]. A
// few waits block a thread each; all others share one epoll(7) set, with neither a
// thread nor a descriptor for each child. Without pidfds (before Linux 5.4, under a
// seccomp filter), each waited-for child takes a thread. On macOS and the BSDs one
// kqueue(2) and one thread serve all waits. On Solaris, AIX and Plan 9 a signal is as
// safe as [os.Process] makes it, and there are no trees; on Plan 9, output not read when
// Wait returns is lost.
//
// # Windows
//
// [os.Kill] reaches every process. [os.Interrupt] and SIGTERM, and so Terminate, are
// CTRL_BREAK to a console process group: that of a tree, or of a command with
// CREATE_NEW_PROCESS_GROUP. Where that is not on our console (we are a service, have
// none, or the command has its own), they are errors that are [errors.ErrUnsupported].
// A member of a tree cannot break away from its job; what a service starts on its
// behalf is not in it. A command holds two handles until it is reaped.
//
// [golang/go#28461]: https://go.dev/issue/28461
// [golang/go#19685]: https://go.dev/issue/19685
// [golang/go#52580]: https://go.dev/issue/52580
// [golang/go#22315]: https://go.dev/issue/22315
// [golang/go#7990]: https://go.dev/issue/7990
package xexec
