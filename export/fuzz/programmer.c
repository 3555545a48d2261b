/* programmer.c: libFuzzer harness of the example programmer: any program file on a virtual chip of 16 x 16 cells.
 *
 * Byte 0: bit 0 a formed chip, bit 1 the new state is made good, bits 2 and 3 the granularity of the board, bit 4 it verifies,
 * bit 5 replies are lost. The rest is a program file, repaired as in fuzz.c. A program that did not end well and gave a pulse must
 * stay open in the journal; one that gave none leaves what is known of the chip.
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
    chip_known known = { CHIP_UNFORMED, 0, 0, 0 };
    outputs out;
    uint8_t *data;
    journal log;
    FILE *file;
    chip *c;
    int i, status;

    if (size < 1 + XBP_HEADER_SIZE + XBP_RECORD_SIZE)
        return 0;
    for (i = 0; i < SIDE * SIDE; i++)
        values[i] = 12e-6;
    known.state = input[0] & 1 ? CHIP_FORMED : CHIP_UNFORMED;
    memset(&out, 0, sizeof out);
    if (chip_open(&c, &map, input[0] & 1) || journal_open(&log, NULL, 0, &known) || board_open(&b, c, &log, &out))
        abort();
    chip_board(c, (input[0] >> 2 & 3) % 3, input[0] >> 4 & 1);
    chip_fault(c)->lose = input[0] & 32 ? 0.2 : 0;
    data = malloc(size - 1);
    memcpy(data, input + 1, size - 1);
    repair(data, size - 1, chip_can(c)->chip_id, 0);
    if (input[0] & 2)
        agree(data, size - 1, chip_can(c)->chip_id);
    file = fmemopen(data, size - 1, "rb");
    board_start(&b);
    b.known = known;
    status = run_passes(&b, file, "fuzz", NULL);
    if (status > FAILED && !log.open
        && (log.known.state != known.state || b.drive.pulses[XBP_KIND_FORM] || b.drive.pulses[XBP_KIND_SET]
            || b.drive.pulses[XBP_KIND_RESET]))
        abort();
    board_close(&b);
    fclose(file);
    free(data);
    free(log.ended);
    chip_close(c);
    return 0;
}
