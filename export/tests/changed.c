/* changed.c: the programmer of programmer.c with a file that becomes another one between its two passes.
 *
 *     changed OTHER.xbp --chip MAP.npy [...] PROGRAM.xbp      pass 1 reads PROGRAM.xbp, pass 2 OTHER.xbp
 */
#include <stdio.h>

static const char *other;

static void swap_files(FILE *file)
{
    static int pass;

    if (pass++ == 1 && !freopen(other, "rb", file))
        perror(other);
    fseek(file, 0, SEEK_SET);
}

#undef rewind
#define rewind swap_files
#define main programmer_main
#include "../programmer.c"
#undef main

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    other = argv[1];
    argv[1] = argv[0];
    return programmer_main(argc - 1, argv + 1);
}
