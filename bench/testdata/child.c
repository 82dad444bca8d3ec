/* As cheap a command as there is, if it is linked statically.
 *
 *	child            exits
 *	child write N    writes N bytes
 *	child leave      leaves behind a process that writes 10 bytes 0.5 ms later
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char data[65536];
	if (argc > 2 && strcmp(argv[1], "write") == 0) {
		for (long n = atol(argv[2]); n > 0;) {
			ssize_t wrote = write(1, data, n < (long)sizeof data ? n : (long)sizeof data);
			if (wrote < 0)
				return 1;
			n -= wrote;
		}
	} else if (argc > 1 && strcmp(argv[1], "leave") == 0) {
		int alive[2];
		if (pipe(alive) != 0)
			return 1;
		switch (fork()) {
		case -1:
			return 1;
		case 0:
			close(alive[1]);
			if (read(alive[0], data, 1) == 0) /* its parent has exited */
				usleep(500);
			return write(1, data, 10) != 10;
		}
	}
	return 0;
}
