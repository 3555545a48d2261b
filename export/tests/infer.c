/* infer.c: classes of inputs on the virtual chip, and a CRC-32 of what leaves every step.
 *
 *     infer DIGITAL.bin MAP.npy MEMORY < INPUTS        MEMORY: of the programmer's virtual chip (--memory)
 *
 * One line per input: the CRC of each step, and the class, or an error. Built with -DFORMULA, the chip is a formula (chip_convert
 * below), and stdin holds files: u32 size, the file. For each the verdict of infer_open and, where it is small, the same of an
 * input of zeros and ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FORMULA
#include "../chip.h"
#else
#include "../chip_virtual.h"
#endif
#include "../infer.h"
#include "../xbp.h"

enum { MOST_WORK = 1 << 16 };

static void saw(void *user, unsigned step, const infer_shape *shape, const void *numbers)
{
    const uint32_t n = shape->height * shape->width * shape->channels;
    const uint8_t *const codes = numbers;
    uint32_t k, crc = 0;

    (void)user;
    (void)step;
    if (shape->codes) {
        crc = xbp_crc32(0, codes, n);
    } else {
        for (k = 0; k < n; k++) {
            uint8_t raw[4];
            int32_t value;
            int i;
            memcpy(&value, codes + 4 * k, 4);
            for (i = 0; i < 4; i++)
                raw[i] = (uint8_t)((uint32_t)value >> 8 * i);
            crc = xbp_crc32(crc, raw, sizeof raw);
        }
    }
    printf(" %08lx", (unsigned long)crc);
}

#ifdef FORMULA
/* Code j: 3 for each driven row, plus its number, the macro, and j: what the Python side of the test says, too. */
chip_status chip_convert(chip *c, uint32_t number, const chip_plane *plane, const chip_converter *adc, int32_t *codes)
{
    const uint32_t most = (1u << (adc->polarity ? adc->bits : adc->bits - 1)) - 1;
    uint32_t sum = (uint32_t)plane->macro, row;
    size_t k;

    (void)c;
    (void)number;
    for (row = 0; row < *(const uint32_t *)(const void *)c; row++)
        if (plane->driven[row >> 3] >> (row & 7) & 1)
            sum += 3 + row;
    for (k = 0; k < plane->pairs << (adc->polarity != 0); k++)
        codes[k] = adc->polarity ? (int32_t)((sum + k) % (most + 1)) : (int32_t)((sum + k) % (2 * most + 1)) - (int32_t)most;
    return CHIP_OK;
}

static void try_file(const uint8_t *file, uint32_t size)
{
    infer_model m;
    const int status = infer_open(&m, file, size, NULL);
    uint32_t n, k, rows = 8 * m.driven_bytes;
    uint8_t *input;
    void *work;

    printf("%d", status);
    n = m.input.height * m.input.width * m.input.channels;
    if (status == INFER_OK && m.work_bytes <= MOST_WORK) {
        input = malloc(n);
        work = malloc(m.work_bytes);
        for (k = 0; input && k < n; k++)
            input[k] = (uint8_t)(k & 1);
        if (input && work)
            printf(" %d", infer_run(&m, (chip *)(void *)&rows, input, work, m.work_bytes, saw, NULL));
        free(work);
        free(input);
    }
    printf("\n");
}

int main(void)
{
    uint8_t head[4];

    while (fread(head, 1, 4, stdin) == 4) {
        const uint32_t size = XBP_U32(head);
        uint8_t *const file = malloc(size ? size : 1);
        if (!file || fread(file, 1, size, stdin) != size)
            return 2;
        try_file(file, size);
        free(file);
    }
    return 0;
}
#else
int main(int argc, char **argv)
{
    static uint8_t file[1 << 20];
    FILE *const digital = argc == 4 ? fopen(argv[1], "rb") : NULL;
    const char *wrong;
    infer_model m;
    npy_map map;
    chip *c;
    uint8_t *input;
    void *work;
    size_t size, n;
    int status;

    if (!digital)
        return 2;
    size = fread(file, 1, sizeof file, digital);
    fclose(digital);
    wrong = npy_read(argv[2], &map);
    if (!wrong)
        wrong = chip_open(&c, &map, 0);
    if (!wrong)
        wrong = chip_keep(c, argv[3]);
    if (wrong) {
        fprintf(stderr, "%s: %s\n", argv[2], wrong);
        return 2;
    }
    status = infer_open(&m, file, (uint32_t)size, chip_can(c));
    fprintf(stderr, "status %d, %lu bytes of working memory\n", status, (unsigned long)m.work_bytes);
    if (status != INFER_OK)
        return 1;
    n = m.input.height * m.input.width * m.input.channels;
    input = malloc(n);
    work = malloc(m.work_bytes);
    while (input && work && fread(input, 1, n, stdin) == n) {
        status = infer_run(&m, c, input, work, m.work_bytes, saw, NULL);
        printf(" %d\n", status);
    }
    free(work);
    free(input);
    chip_close(c);
    free(map.values);
    return 0;
}
#endif
