/* measure.c: instructions of the reader and of inference on one core, with what measure_data.h holds: a program file, a digital
 * side, inputs, conductances, and what must come of them. Prints one line of figures.
 */
#include "../infer.h"
#include "../xbp.h"
#include "measure_data.h"
#include "measure_port.h"

static xbp_reader reader;
static infer_model model;
static uint32_t work[WORK_BYTES / 4], crc;

/* The chip of measure_data.h. */
chip_status chip_convert(chip *c, uint32_t number, const chip_plane *plane, const chip_converter *adc, int32_t *codes)
{
    size_t row, k;

    (void)c;
    (void)number;
    for (k = 0; k < plane->pairs; k++) {
        int32_t nS = 0;
        for (row = 0; row < ROWS; row++)
            if (plane->driven[row >> 3] >> (row & 7) & 1) {
                const uint16_t *const cell = &cells_nS[row * COLS + plane->col0 + 2 * k];
                nS += (int32_t)cell[0] - (int32_t)cell[1];
            }
        codes[k] = chip_code_of(adc, nS);
    }
    return CHIP_OK;
}

static void saw(void *user, unsigned step, const infer_shape *shape, const void *numbers)
{
    (void)user;
    (void)step;
    crc = xbp_crc32(crc, numbers, shape->height * shape->width * shape->channels * (shape->codes ? 1 : 4));
}

static void put_number(const char *name, uint32_t value)
{
    char digits[11];
    int n = 0;

    while (*name)
        port_put((uint8_t)*name++);
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        port_put((uint8_t)digits[--n]);
}

int main(void)
{
    uint32_t start, k;
    int status;

    start = instructions();
    xbp_init(&reader, CHIP_ID, NULL, NULL);
    xbp_feed(&reader, program_file, sizeof program_file);
    put_number("reader ", instructions() - start);
    put_number(" verdict ", (uint32_t)(xbp_finish(&reader) == XBP_DONE));
    put_number(" bytes ", sizeof program_file);
    start = instructions();
    status = infer_open(&model, digital_side, sizeof digital_side, NULL);
    put_number(" open ", instructions() - start);
    start = instructions();
    for (k = 0; k < N_INPUTS && status >= 0; k++)
        status = infer_run(&model, NULL, inputs + k * sizeof inputs / N_INPUTS, work, sizeof work, saw, NULL);
    put_number(" infer ", (instructions() - start) / N_INPUTS);
    put_number(" work ", model.work_bytes);
    put_number(" good ", (uint32_t)(status >= 0 && crc == EXPECTED_CRC));
    put_number(" stack ", stack_used());
    port_put('\n');
    return 0;
}
