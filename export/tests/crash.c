/* crash.c: linked with the programmer, it ends the process at a chosen write, as a power cut does.
 *
 * All other sources are built with -Dfwrite=crash_fwrite -Dfsync=crash_fsync -Drename=crash_rename -Dremove=crash_remove. The
 * calls of these are counted; call number CRASH_AT does not return: nothing of it was done, or with CRASH_HALF=1 half of a line or
 * block, or with CRASH_HALF=2 all of it. Without CRASH_AT, the number of calls is printed at the end.
 */
#undef fwrite
#undef fsync
#undef rename
#undef remove
#include <stdio.h>
#include <stdlib.h>

size_t crash_fwrite(const void *data, size_t size, size_t n, FILE *file);
int crash_fsync(int file);
int crash_rename(const char *from, const char *to);
int crash_remove(const char *path);

static long calls;

static void tell(void)
{
    fprintf(stderr, "%ld calls\n", calls);
}

/* How much of this call is done before the end: 0, 1 half, 2 all; 3: it is not the end. */
static int now(void)
{
    const char *const at = getenv("CRASH_AT"), *const half = getenv("CRASH_HALF");

    if (calls++ == 0 && !at)
        atexit(tell);
    if (!at || atol(at) != calls)
        return 3;
    return half ? atoi(half) : 0;
}

static void end(FILE *file)
{
    if (file)
        fflush(file);
    _Exit(137);
}

size_t crash_fwrite(const void *data, size_t size, size_t n, FILE *file)
{
    const int much = now();

    if (much == 3)
        return fwrite(data, size, n, file);
    if (much)
        fwrite(data, size, much == 2 ? n : n / 2, file); /* a cell of the chip is one block: no half of it */
    end(file);
    return 0;
}

int crash_fsync(int file)
{
    (void)file; /* the process ends, not the machine */
    if (now() != 3)
        end(NULL);
    return 0;
}

int crash_rename(const char *from, const char *to)
{
    const int much = now();
    const int result = much >= 2 ? rename(from, to) : 0;

    if (much != 3)
        end(NULL);
    return result;
}

int crash_remove(const char *path)
{
    const int much = now();
    const int result = much >= 2 ? remove(path) : 0;

    if (much != 3)
        end(NULL);
    return result;
}
