/* For each line of its input, prints how many nanoseconds a command took.
 *
 *	floor run PROGRAM ARG...      a run of it
 *	floor output PROGRAM ARG...   a run of it, with its output and errors read
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* spawn starts args with the three files. */
static pid_t spawn(char **args, int in, int out, int err)
{
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		execv(args[0], args);
		_exit(127);
	}
	return pid;
}

/* output starts args and reads until both its pipes have ended. */
static pid_t output(char **args, int null)
{
	static char data[65536];
	int out[2], err[2];
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = spawn(args, null, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	struct pollfd fds[2] = {{out[0], POLLIN}, {err[0], POLLIN}};
	for (int open = 2; open > 0;) {
		poll(fds, 2, -1);
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents != 0 && read(fds[i].fd, data, sizeof data) <= 0) {
				close(fds[i].fd);
				fds[i].fd = -1;
				open--;
			}
		}
	}
	return pid;
}

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (argc < 3)
		return 2;
	int reads = strcmp(argv[1], "output") == 0;
	while (getchar() != EOF) {
		struct timespec a, b;
		int status;
		clock_gettime(CLOCK_MONOTONIC, &a);
		pid_t pid = reads ? output(argv + 2, null) : spawn(argv + 2, null, null, null);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%lld\n", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec);
		fflush(stdout);
	}
	return 0;
}
