/* no_files.c: what newlib asks of a system, on a board that has none. */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#undef errno
extern int errno;

int _close(int file);
int _fstat(int file, struct stat *status);
int _getpid(void);
int _isatty(int file);
int _kill(int process, int signal);
int _open(const char *name, int flags, int mode);
long _lseek(int file, long offset, int from);
int _read(int file, char *to, int n);
int _write(int file, const char *from, int n);
int _link(const char *from, const char *to);
int _unlink(const char *name);

static int none(void)
{
    errno = ENOSYS;
    return -1;
}

int _close(int file) { (void)file; return none(); }
int _fstat(int file, struct stat *status) { (void)file; (void)status; return none(); }
int _getpid(void) { return 1; }
int _isatty(int file) { (void)file; return 0; }
int _kill(int process, int signal) { (void)process; (void)signal; return none(); }
int _open(const char *name, int flags, int mode) { (void)name; (void)flags; (void)mode; return none(); }
long _lseek(int file, long offset, int from) { (void)file; (void)offset; (void)from; return none(); }
int _read(int file, char *to, int n) { (void)file; (void)to; (void)n; return none(); }
int _write(int file, const char *from, int n) { (void)file; (void)from; (void)n; return none(); }
int _link(const char *from, const char *to) { (void)from; (void)to; return none(); }
int _unlink(const char *name) { (void)name; return none(); }
