/* programmer.c: libFuzzer harness of the example programmer: any program file on a virtual chip of 16 x 16 cells.
 *
 * Byte 0: bit 0 a formed chip, bit 1 the new state is made good. The rest is a program file, repaired as in fuzz.c. A chip whose
 * program did not end well and that got a pulse must be in an unknown state.
 */
#define _POSIX_C_SOURCE 200809L
#define main programmer_main
#include "../programmer.c"
#undef main

#include "repair.h"

enum { SIDE = 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return freopen("/dev/null", "w", stdout) ? 0 : 1; /* what the programmer prints */
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static double values[SIDE * SIDE];
    static board b;
    npy_map map = { 1, SIDE, SIDE, values };
    uint8_t *data;
    FILE *file;
    chip c;
    int i, status, before;

    if (size < 1 + XBP_HEADER_SIZE + XBP_RECORD_SIZE)
        return 0;
    for (i = 0; i < SIDE * SIDE; i++)
        values[i] = 12e-6;
    if (chip_open(&c, &map, input[0] & 1))
        return 0;
    data = malloc(size - 1);
    memcpy(data, input + 1, size - 1);
    repair(data, size - 1, c.chip_id, 0);
    if (input[0] & 2)
        agree(data, size - 1, c.chip_id);
    file = fmemopen(data, size - 1, "rb");
    memset(&b, 0, sizeof b);
    b.target = &c;
    b.planned = calloc(SIDE * SIDE, sizeof *b.planned);
    before = c.state;
    status = run_passes(&b, file, "fuzz");
    if (status != 0 && c.state != CHIP_UNKNOWN
        && (c.state != before || b.pulses[XBP_KIND_FORM] || b.pulses[XBP_KIND_SET] || b.pulses[XBP_KIND_RESET]))
        abort();
    free(b.planned);
    fclose(file);
    free(data);
    chip_close(&c);
    return 0;
}
