/* chip.c: the virtual chip. Its rules are round figures for 40 nm TaOx cells, assumed where nothing is published:
 *
 * - a cell that the map shows at 1 uS or above forms at 3.2 V for 1 us or longer, and is then on at the map's value;
 * - a formed cell turns on at +1.0 V or more, back to the map's value;
 * - each pulse of -1.0 V or less leaves it a tenth of its conductance, down to 0.8 uS, but one cell in 64 is slow and
 *   keeps 0.6: it needs several pulses;
 * - everything else changes nothing, and a stuck cell never changes.
 */
#include "chip.h"

#include <math.h>
#include <stdlib.h>

#include "xbp.h"

enum { PRISTINE, FORMED, STUCK };
enum { PRISTINE_NS = 100, FORMABLE_NS = 1000, FLOOR_NS = 800, STUCK_ON_NS = 15000 };
enum { FORM_MV = 3200, FORM_WIDTH_NS = 1000, SWITCH_MV = 1000 };
#define MOST_NS 100000000.0 /* 0.1 S: a map that reaches this is in another unit */

static size_t cell(const chip *c, size_t macro, size_t row, size_t col)
{
    return (macro * c->rows + row) * c->cols + col;
}

/* One cell in 64, scattered over rows and columns (multiplicative hashing, Knuth). */
static int slow(size_t i)
{
    return (uint32_t)i * 2654435761u >> 26 == 0;
}

static uint32_t add_nS(uint32_t crc, uint32_t nS)
{
    uint8_t raw[4];
    int k;

    for (k = 0; k < 4; k++)
        raw[k] = (uint8_t)(nS >> 8 * k);
    return xbp_crc32(crc, raw, sizeof raw);
}

const char *chip_open(chip *c, const npy_map *map, int formed)
{
    const size_t cells = map->macros * map->rows * map->cols;
    size_t i;

    c->macros = map->macros;
    c->rows = map->rows;
    c->cols = map->cols;
    c->state = formed ? CHIP_FORMED : CHIP_UNFORMED;
    c->holds = 0;
    c->chip_id = 0;
    c->on_nS = malloc(cells * sizeof *c->on_nS);
    c->now_nS = malloc(cells * sizeof *c->now_nS);
    c->condition = malloc(cells);
    if (!c->on_nS || !c->now_nS || !c->condition) {
        chip_close(c);
        return "too large for the memory";
    }
    for (i = 0; i < cells; i++) {
        const double nS = map->values[i] * 1e9;
        if (!(nS >= 0 && nS < MOST_NS)) {
            chip_close(c);
            return "holds a conductance that is negative, not finite or above 0.1 S; the unit is siemens";
        }
        c->on_nS[i] = (uint32_t)rint(nS);
        c->chip_id = add_nS(c->chip_id, c->on_nS[i]);
        c->condition[i] = formed && c->on_nS[i] >= FORMABLE_NS ? FORMED : PRISTINE;
        c->now_nS[i] = c->condition[i] == FORMED ? c->on_nS[i] : PRISTINE_NS;
    }
    return NULL;
}

void chip_close(chip *c)
{
    free(c->on_nS);
    free(c->now_nS);
    free(c->condition);
    c->on_nS = c->now_nS = NULL;
    c->condition = NULL;
}

int chip_stick(chip *c, size_t macro, size_t row, size_t col, int stuck_on)
{
    size_t i;

    if (macro >= c->macros || row >= c->rows || col >= c->cols)
        return 0;
    i = cell(c, macro, row, col);
    c->condition[i] = STUCK;
    c->now_nS[i] = stuck_on ? STUCK_ON_NS : PRISTINE_NS;
    return 1;
}

void chip_pulse(chip *c, size_t macro, size_t row, size_t col, int32_t mV, uint32_t ns)
{
    const size_t i = cell(c, macro, row, col);

    if (c->condition[i] == PRISTINE && mV >= FORM_MV && ns >= FORM_WIDTH_NS && c->on_nS[i] >= FORMABLE_NS)
        c->condition[i] = FORMED;
    if (c->condition[i] != FORMED)
        return;
    if (mV >= SWITCH_MV) {
        c->now_nS[i] = c->on_nS[i];
    } else if (mV <= -SWITCH_MV) {
        const uint32_t less = slow(i) ? c->now_nS[i] / 10 * 6 : c->now_nS[i] / 10;
        c->now_nS[i] = less > FLOOR_NS ? less : FLOOR_NS;
    }
}

uint32_t chip_read(const chip *c, size_t macro, size_t row, size_t col)
{
    return c->now_nS[cell(c, macro, row, col)];
}

uint32_t chip_readback_id(const chip *c)
{
    const size_t cells = c->macros * c->rows * c->cols;
    uint32_t crc = 0;
    size_t i;

    for (i = 0; i < cells; i++)
        crc = add_nS(crc, c->now_nS[i]);
    return crc;
}

const char *chip_dump(const chip *c, npy_map *map)
{
    const size_t cells = c->macros * c->rows * c->cols;
    size_t i;

    map->macros = c->macros;
    map->rows = c->rows;
    map->cols = c->cols;
    map->values = malloc(cells * sizeof *map->values);
    if (!map->values)
        return "too large for the memory";
    for (i = 0; i < cells; i++)
        map->values[i] = (double)c->now_nS[i] * 1e-9;
    return NULL;
}
