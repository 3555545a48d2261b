/* chip_virtual.c: the virtual chip. Its rules are round figures for 40 nm TaOx cells, assumed where nothing is published:
 *
 * - behind a gate below 0.7 V nothing flows; above it a cell gets at most 0.2 uA for each mV more, and its compliance;
 * - a cell that the map shows at 1 uS or above forms at 3.2 V and 10 uA for 1 us or longer, and is then on at the map's value;
 * - a formed cell turns on at +1.0 V or more and 5 uA, back to the map's value;
 * - each pulse of -1.0 V or less and 5 uA leaves it a tenth of its conductance, down to 0.8 uS, but one cell in 64 is slow
 *   and keeps 0.6: it needs several pulses;
 * - everything else changes nothing, and a stuck cell never changes.
 */
#include "chip_virtual.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xbp.h"

enum { PRISTINE, FORMED, STUCK };
enum { PRISTINE_NS = 100, FORMABLE_NS = 1000, FLOOR_NS = 800, STUCK_ON_NS = 15000 };
enum { FORM_MV = 3200, FORM_WIDTH_NS = 1000, FORM_NA = 10000, SWITCH_MV = 1000, SWITCH_NA = 5000 };
enum { GATE_MV = 700, GATE_NA_MV = 200, READ_MV = 10 };
#define MOST_NS 100000000.0 /* 0.1 S: a map that reaches this is in another unit */

enum { HEAD = 32, CELL = 32, MAX_REPLY = 512 }; /* bytes in the file of chip_keep */
static const char MAGIC[8] = "XBPCHIP";

typedef struct {
    uint32_t on_nS;     /* what it conducts when on */
    uint32_t now_nS;    /* what it conducts now */
    uint32_t condition; /* PRISTINE .. */
    uint32_t turns;     /* times that it was turned on or off */
    uint32_t pulses;    /* that it got while it was selected */
    uint64_t written;   /* chip time, ns */
} cell;

struct chip {
    chip_capabilities can;
    chip_faults faults;
    cell *cells;
    uint16_t *driven; /* rows of the present product */
    double *share;    /* of the voltage that arrives at each cell of the present command, or of a column */
    FILE *kept;
    uint64_t time, drawn;
    uint32_t last; /* number of the last command that was done, and its reply */
    chip_status status;
    uint32_t nS[MAX_REPLY];
    int32_t codes[MAX_REPLY];
    uint16_t pulses[MAX_REPLY];
    uint8_t passed[MAX_REPLY];
};

static size_t index_of(const chip *c, size_t macro, size_t row, size_t col)
{
    return (macro * c->can.rows + row) * c->can.cols + col;
}

static size_t all_cells(const chip *c)
{
    return c->can.macros * c->can.rows * c->can.cols;
}

/* One cell in 64, scattered over rows and columns (multiplicative hashing, Knuth). */
static int slow(size_t i)
{
    return (uint32_t)i * 2654435761u >> 26 == 0;
}

/* A number in [0, 1). */
static double draw(chip *c)
{
    return chip_uniform(c->faults.seed + ++c->drawn);
}

static double draw_normal(chip *c)
{
    const double radius = sqrt(-2 * log(1 - draw(c)));

    return radius * cos(6.283185307179586 * draw(c));
}

static uint32_t add_nS(uint32_t crc, uint32_t nS)
{
    uint8_t raw[4];
    int k;

    for (k = 0; k < 4; k++)
        raw[k] = (uint8_t)(nS >> 8 * k);
    return xbp_crc32(crc, raw, sizeof raw);
}

static void set_capabilities(chip *c, const npy_map *map)
{
    chip_capabilities *const can = &c->can;

    can->name = "virtual chip";
    can->macros = map->macros;
    can->rows = map->rows;
    can->cols = map->cols;
    can->granularity = CHIP_CELL;
    can->line_mV = can->select_mV = 5000;
    can->current_nA = 5000000;
    can->least_ns = 1;
    can->most_ns = UINT32_MAX;
}

const char *chip_open(chip **made, const npy_map *map, int formed)
{
    const size_t cells = map->macros * map->rows * map->cols;
    chip *const c = calloc(1, sizeof *c);
    size_t i;

    *made = c;
    if (c)
        c->cells = calloc(cells, sizeof *c->cells);
    if (c)
        c->driven = calloc(map->rows, sizeof *c->driven);
    if (c)
        c->share = calloc(map->rows + MAX_REPLY, sizeof *c->share);
    if (!c || !c->cells || !c->driven || !c->share)
        return "too large for the memory";
    set_capabilities(c, map);
    for (i = 0; i < cells; i++) {
        const double nS = map->values[i] * 1e9;
        cell *const one = &c->cells[i];
        if (!(nS >= 0 && nS < MOST_NS))
            return "holds a conductance that is negative, not finite or above 0.1 S; the unit is siemens";
        one->on_nS = (uint32_t)rint(nS);
        c->can.chip_id = add_nS(c->can.chip_id, one->on_nS);
        one->condition = formed && one->on_nS >= FORMABLE_NS ? FORMED : PRISTINE;
        one->now_nS = one->condition == FORMED ? one->on_nS : PRISTINE_NS;
    }
    return NULL;
}

void chip_close(chip *c)
{
    if (!c)
        return;
    if (c->kept)
        fclose(c->kept);
    free(c->cells);
    free(c->driven);
    free(c->share);
    free(c);
}

static void put(uint8_t *p, uint64_t value, int n)
{
    while (n--) {
        *p++ = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get(const uint8_t *p, int n)
{
    uint64_t value = 0;

    while (n--)
        value = value << 8 | p[n];
    return value;
}

static void keep_head(chip *c)
{
    uint8_t raw[HEAD] = { 0 };

    if (!c->kept)
        return;
    memcpy(raw, MAGIC, sizeof MAGIC);
    put(raw + 8, c->can.chip_id, 4);
    put(raw + 16, c->time, 8);
    put(raw + 24, c->drawn, 8);
    rewind(c->kept);
    fwrite(raw, sizeof raw, 1, c->kept);
}

static void keep_cell(chip *c, size_t i)
{
    const cell *const one = &c->cells[i];
    uint8_t raw[CELL] = { 0 };

    if (!c->kept)
        return;
    put(raw, one->on_nS, 4);
    put(raw + 4, one->now_nS, 4);
    put(raw + 8, one->condition, 4);
    put(raw + 12, one->turns, 4);
    put(raw + 16, one->pulses, 4);
    put(raw + 24, one->written, 8);
    if (fseek(c->kept, (long)(HEAD + i * CELL), SEEK_SET) == 0)
        fwrite(raw, sizeof raw, 1, c->kept);
}

static const char *take_kept(chip *c, FILE *file)
{
    uint8_t raw[CELL];
    size_t i;

    if (fread(raw, 1, HEAD, file) != HEAD || memcmp(raw, MAGIC, sizeof MAGIC) != 0)
        return "not the memory of a virtual chip";
    if (get(raw + 8, 4) != c->can.chip_id)
        return "the memory of another chip";
    c->time = get(raw + 16, 8);
    c->drawn = get(raw + 24, 8);
    for (i = 0; i < all_cells(c); i++) {
        cell *const one = &c->cells[i];
        if (fread(raw, 1, CELL, file) != CELL)
            return "ends too early";
        one->now_nS = (uint32_t)get(raw + 4, 4);
        one->condition = (uint32_t)get(raw + 8, 4);
        one->turns = (uint32_t)get(raw + 12, 4);
        one->pulses = (uint32_t)get(raw + 16, 4);
        one->written = get(raw + 24, 8);
    }
    return NULL;
}

const char *chip_keep(chip *c, const char *path)
{
    char part[1024];
    size_t i;
    int wrong;

    c->kept = fopen(path, "r+b");
    if (!c->kept) {
        if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
            return "has too long a name";
        c->kept = fopen(part, "wb");
        if (!c->kept)
            return "cannot be written";
        keep_head(c);
        for (i = 0; i < all_cells(c); i++)
            keep_cell(c, i);
        wrong = ferror(c->kept);
        if (fclose(c->kept) != 0 || wrong || rename(part, path) != 0 || !(c->kept = fopen(path, "r+b"))) {
            c->kept = NULL;
            remove(part);
            return "cannot be written";
        }
    }
    setvbuf(c->kept, NULL, _IONBF, 0);
    return take_kept(c, c->kept);
}

int chip_stick(chip *c, size_t macro, size_t row, size_t col, int stuck_on)
{
    size_t i;

    if (macro >= c->can.macros || row >= c->can.rows || col >= c->can.cols)
        return 0;
    i = index_of(c, macro, row, col);
    c->cells[i].condition = STUCK;
    c->cells[i].now_nS = stuck_on ? STUCK_ON_NS : PRISTINE_NS;
    keep_cell(c, i);
    return 1;
}

chip_faults *chip_fault(chip *c)
{
    return &c->faults;
}

void chip_board(chip *c, int granularity, int verifies)
{
    c->can.granularity = granularity;
    c->can.verifies = verifies;
}

const chip_capabilities *chip_can(const chip *c)
{
    return &c->can;
}

/* Current that the gate and the compliance let through, nA. */
static int32_t current_nA(const chip_lines *lines)
{
    const int32_t gate_nA = lines->select_mV < GATE_MV ? 0 : (lines->select_mV - GATE_MV) * GATE_NA_MV;

    return lines->compliance_nA && lines->compliance_nA < (uint32_t)gate_nA ? (int32_t)lines->compliance_nA : gate_nA;
}

/* Shares of n cells of one line: along row or column `line`, at the columns or rows `place`. They have the wire of the line in
 * common; each has the wire of its other line alone. */
static void arrive_along(chip *c, size_t macro, int along_row, size_t line, size_t n, const uint16_t *place, double *share)
{
    const double ohm = c->faults.wire_ohm, own_ohm = ohm * (double)(line + 1);
    size_t k;

    for (k = 0; k < n; k++) {
        const double S = c->cells[index_of(c, macro, along_row ? line : place[k], along_row ? place[k] : line)].now_nS * 1e-9;
        share[k] = S / (1 + own_ohm * S);
    }
    chip_ladder(ohm, n, place, share);
    for (k = 0; k < n; k++) {
        const double S = c->cells[index_of(c, macro, along_row ? line : place[k], along_row ? place[k] : line)].now_nS * 1e-9;
        share[k] /= 1 + own_ohm * S;
    }
}

/* Shares of the cells of a command, line by line. */
static void arrive(chip *c, const chip_cells *cells)
{
    const uint16_t *const row = cells->row, *const col = cells->col;
    size_t from, n, k;

    for (k = 0; k < cells->n; k++)
        c->share[k] = 1;
    for (from = 0; from < cells->n && c->faults.wire_ohm > 0; from += n) {
        const int down = from + 1 < cells->n && row[from + 1] != row[from];
        const uint16_t *const line = down ? col : row, *const place = down ? row : col;
        for (n = 1; from + n < cells->n && line[from + n] == line[from] && place[from + n] > place[from + n - 1]; n++)
            ;
        arrive_along(c, cells->macro, !down, line[from], n, place + from, c->share + from);
    }
}

static void turn(const chip *c, cell *one, uint32_t nS)
{
    const int turned = nS / 2 > one->now_nS || nS < one->now_nS / 2;

    one->now_nS = nS;
    one->turns += turned ? 1 : 0;
    if (c->faults.wear && one->turns >= c->faults.wear)
        one->condition = STUCK;
}

static void strike(chip *c, size_t i, double mV, int32_t nA, uint32_t ns)
{
    cell *const one = &c->cells[i];

    if (one->condition == PRISTINE && mV >= FORM_MV && nA >= FORM_NA && ns >= FORM_WIDTH_NS && one->on_nS >= FORMABLE_NS)
        one->condition = FORMED;
    if (one->condition == FORMED && nA >= SWITCH_NA) {
        if (mV >= SWITCH_MV) {
            turn(c, one, one->on_nS);
        } else if (mV <= -SWITCH_MV) {
            const uint32_t less = slow(i) ? one->now_nS / 10 * 6 : one->now_nS / 10;
            turn(c, one, less > FLOOR_NS ? less : FLOOR_NS);
        }
    }
    one->pulses++;
    one->written = c->time;
    keep_cell(c, i);
}

/* Moves a half-selected cell the way that the voltage points. */
static void brush(chip *c, size_t i, int32_t mV)
{
    cell *const one = &c->cells[i];
    const uint32_t end_nS = mV > 0 ? one->on_nS : FLOOR_NS, now_nS = one->now_nS;

    if (one->condition != FORMED || (mV < SWITCH_MV / 2 && mV > -SWITCH_MV / 2) || (mV > 0 ? now_nS >= end_nS : now_nS <= end_nS))
        return;
    one->now_nS = chip_brushed(&c->faults, now_nS, end_nS, c->faults.seed + ++c->drawn);
    if (one->now_nS != now_nS)
        keep_cell(c, i);
}

static void disturb(chip *c, size_t macro, size_t row, size_t col, const chip_lines *lines)
{
    size_t k;

    for (k = 0; k < c->can.cols && !(lines->floating & XBP_FLOATING_COLUMNS); k++)
        if (k != col)
            brush(c, index_of(c, macro, row, k), lines->row_mV);
    for (k = 0; k < c->can.rows && !(lines->floating & XBP_FLOATING_ROWS); k++)
        if (k != row)
            brush(c, index_of(c, macro, k, col), -lines->col_mV);
}

/* share: of the voltage that arrives. */
static void pulse_one(chip *c, size_t macro, size_t row, size_t col, const chip_lines *lines, double share)
{
    strike(c, index_of(c, macro, row, col), (lines->row_mV - lines->col_mV) * share, current_nA(lines), lines->ns);
    if (c->faults.disturb > 0)
        disturb(c, macro, row, col, lines);
}

static uint32_t read_one(chip *c, size_t macro, size_t row, size_t col, const chip_lines *lines, unsigned averages,
                         double share)
{
    const size_t i = index_of(c, macro, row, col);
    const cell *const one = &c->cells[i];
    const int32_t mV = lines->row_mV - lines->col_mV;
    const double age_s = (double)(c->time - one->written) * 1e-9;
    double nS = one->now_nS, sum = 0;
    unsigned k;

    if (current_nA(lines) == 0 || (mV < READ_MV && mV > -READ_MV))
        return 0;
    if (chip_ages(&c->faults) && one->condition == FORMED)
        nS = chip_aged(&c->faults, nS, one->on_nS, age_s, c->faults.seed + i + all_cells(c) * one->written);
    nS *= share;
    if (!(c->faults.noise > 0))
        return (uint32_t)rint(nS);
    for (k = 0; k < averages; k++)
        sum += nS * (1 + c->faults.noise * draw_normal(c));
    return sum > 0 ? (uint32_t)rint(sum / averages) : 0;
}

/* Whether the board does a command: not one that it has done, nor one that it cannot do. */
static int begins(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines)
{
    size_t k;

    if (number == c->last)
        return 0;
    c->status = CHIP_OK;
    if (cells->n < 1 || cells->n > MAX_REPLY || cells->macro >= c->can.macros || lines->row_mV > c->can.line_mV
        || lines->row_mV < -c->can.line_mV || lines->col_mV > c->can.line_mV || lines->col_mV < -c->can.line_mV
        || (c->can.granularity == CHIP_CELL && cells->n > 1)
        || (uint64_t)lines->compliance_nA * cells->n > c->can.current_nA)
        c->status = CHIP_REFUSED;
    for (k = 0; k < cells->n && c->status == CHIP_OK; k++)
        if (cells->row[k] >= c->can.rows || cells->col[k] >= c->can.cols)
            c->status = CHIP_REFUSED;
    c->last = number;
    c->time += lines->ns + lines->settle_ns + (uint64_t)(c->faults.every_s * 1e9);
    return c->status == CHIP_OK;
}

/* What the link makes of a command: whether it arrives. */
static int arrives_there(chip *c, uint32_t number, chip_status *reply)
{
    const chip_faults *const f = &c->faults;
    const double one = f->lose > 0 || f->damage > 0 ? draw(c) : 1;

    *reply = CHIP_OK;
    if (f->interrupt && number == f->interrupt)
        raise(SIGINT);
    if ((f->dead_from && number >= f->dead_from) || one < f->lose)
        *reply = CHIP_NO_REPLY;
    else if (one < f->lose + f->damage)
        *reply = CHIP_BAD_REPLY;
    if (f->dead_from && number >= f->dead_from)
        return 0;
    return *reply != CHIP_NO_REPLY || draw(c) < 0.5; /* half of what is lost is lost on the way there */
}

chip_status chip_pulse(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines)
{
    chip_status reply;
    size_t k;

    if (arrives_there(c, number, &reply) && begins(c, number, cells, lines)) {
        arrive(c, cells);
        for (k = 0; k < cells->n; k++)
            pulse_one(c, cells->macro, cells->row[k], cells->col[k], lines, c->share[k]);
        keep_head(c);
    }
    return reply == CHIP_OK ? c->status : reply;
}

chip_status chip_read(chip *c, uint32_t number, const chip_cells *cells, const chip_lines *lines, unsigned averages,
                      uint32_t *nS)
{
    chip_status reply;
    size_t k;

    if (arrives_there(c, number, &reply) && begins(c, number, cells, lines)) {
        arrive(c, cells);
        for (k = 0; k < cells->n; k++)
            c->nS[k] = read_one(c, cells->macro, cells->row[k], cells->col[k], lines, averages, c->share[k]);
    }
    if (reply == CHIP_OK && c->status == CHIP_OK)
        memcpy(nS, c->nS, cells->n * sizeof *nS);
    return reply == CHIP_OK ? c->status : reply;
}

/* Pulses and reads one cell in turn, alone on its lines; whether it passed. */
static uint8_t write_one(chip *c, size_t macro, uint16_t row, uint16_t col, const chip_verify *verify, unsigned first,
                         uint16_t *pulses)
{
    const chip_lines reading = chip_lines_of(verify->read, 0);
    const chip_cells one = { macro, 1, &row, &col };
    unsigned n, good;

    for (n = first; n < verify->write->max_pulses; n++) {
        const chip_lines lines = chip_lines_of(verify->write, n);
        arrive(c, &one);
        pulse_one(c, macro, row, col, &lines, *c->share);
        ++*pulses;
        arrive(c, &one);
        for (good = 0; good < verify->write->good_reads; good++)
            if (!chip_good(verify, read_one(c, macro, row, col, &reading, verify->read->max_pulses, *c->share)))
                break;
        if (good == verify->write->good_reads)
            return 1;
    }
    return 0;
}

chip_status chip_write(chip *c, uint32_t number, const chip_cells *cells, const chip_verify *verify, unsigned first,
                       uint16_t *pulses, uint8_t *passed)
{
    const chip_lines lines = chip_lines_of(verify->write, first);
    chip_status reply;
    size_t k;

    if (arrives_there(c, number, &reply) && begins(c, number, cells, &lines)) {
        for (k = 0; k < cells->n; k++) {
            c->pulses[k] = 0;
            c->passed[k] = write_one(c, cells->macro, cells->row[k], cells->col[k], verify, first, &c->pulses[k]);
        }
        keep_head(c);
    }
    if (reply == CHIP_OK && c->status == CHIP_OK) {
        memcpy(pulses, c->pulses, cells->n * sizeof *pulses);
        memcpy(passed, c->passed, cells->n);
    }
    return reply == CHIP_OK ? c->status : reply;
}

/* What the driven cells of one column conduct together, nS. */
static int64_t column_nS(chip *c, const chip_plane *plane, size_t n_driven, size_t col)
{
    static const chip_lines reading = { 200, 0, 3300, 0, 0, 1, 0 };
    const int ideal = !(c->faults.noise > 0 || chip_ages(&c->faults) || c->faults.wire_ohm > 0);
    const cell *const first = c->cells + index_of(c, plane->macro, 0, col);
    int64_t sum = 0;
    size_t k;

    for (k = 0; k < n_driven && ideal; k++)
        sum += first[c->driven[k] * c->can.cols].now_nS;
    if (!ideal)
        arrive_along(c, plane->macro, 0, col, n_driven, c->driven, c->share);
    for (k = 0; k < n_driven && !ideal; k++)
        sum += read_one(c, plane->macro, c->driven[k], col, &reading, 1, c->share[k]);
    return sum;
}

static size_t list_driven(const chip *c, const chip_plane *plane)
{
    size_t row, n = 0;

    for (row = 0; row < c->can.rows; row++)
        if (plane->driven[row >> 3] >> (row & 7) & 1)
            c->driven[n++] = (uint16_t)row;
    return n;
}

chip_status chip_convert(chip *c, uint32_t number, const chip_plane *plane, const chip_converter *adc, int32_t *codes)
{
    const size_t n = adc->polarity ? 2 * plane->pairs : plane->pairs;
    chip_status reply;
    size_t k, n_driven;

    if (arrives_there(c, number, &reply) && number != c->last) {
        c->last = number;
        c->time += (uint64_t)(c->faults.every_s * 1e9);
        c->status = n >= 1 && n <= MAX_REPLY && adc->lsb > 0 && plane->macro < c->can.macros
                    && plane->col0 + 2 * plane->pairs <= c->can.cols ? CHIP_OK : CHIP_REFUSED;
        n_driven = c->status == CHIP_OK ? list_driven(c, plane) : 0;
        for (k = 0; k < n && c->status == CHIP_OK; k++) {
            const size_t col = plane->col0 + (adc->polarity ? k : 2 * k);
            c->codes[k] = chip_code_of(adc, column_nS(c, plane, n_driven, col)
                                                - (adc->polarity ? 0 : column_nS(c, plane, n_driven, col + 1)));
        }
    }
    if (reply == CHIP_OK && c->status == CHIP_OK)
        memcpy(codes, c->codes, n * sizeof *codes);
    return reply == CHIP_OK ? c->status : reply;
}

void chip_idle(chip *c)
{
    (void)c; /* no lines to bring down */
}
