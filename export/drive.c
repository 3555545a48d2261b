/* drive.c: see drive.h. */
#include "drive.h"

#include <string.h>

#include "xbp.h"

volatile sig_atomic_t drive_stop;

/* Cells of a step that still need pulses, and which of the step's they are. */
typedef struct {
    uint16_t row[JOURNAL_CELLS], col[JOURNAL_CELLS], place[JOURNAL_CELLS];
    size_t n;
} group;

static chip_cells cells_of(const group *g, size_t macro)
{
    chip_cells cells;

    cells.macro = macro;
    cells.n = g->n;
    cells.row = g->row;
    cells.col = g->col;
    return cells;
}

/* Leaves the cells out that are marked. */
static void leave(group *g, const uint8_t *marked)
{
    size_t k, n = 0;

    for (k = 0; k < g->n; k++)
        if (!marked[k]) {
            g->row[n] = g->row[k];
            g->col[n] = g->col[k];
            g->place[n++] = g->place[k];
        }
    g->n = n;
}

static drive_status outcome(driver *d, chip_status status, unsigned tries)
{
    d->again += tries - 1;
    return status == CHIP_OK ? DRIVE_DONE : status == CHIP_REFUSED ? DRIVE_REFUSED : DRIVE_SILENT;
}

static int unheard(chip_status status)
{
    return status == CHIP_NO_REPLY || status == CHIP_BAD_REPLY;
}

drive_status drive_read(driver *d, const chip_cells *cells, const chip_recipe *recipe, uint32_t *nS)
{
    const size_t most = chip_can(d->target)->granularity == CHIP_CELL ? 1 : JOURNAL_CELLS;
    const chip_lines lines = chip_lines_of(recipe, 0);
    drive_status result = DRIVE_DONE;
    size_t at;

    for (at = 0; at < cells->n && result == DRIVE_DONE; at += most) {
        chip_cells some = *cells;
        chip_status status = CHIP_NO_REPLY;
        unsigned tries = 0;
        if (drive_stop)
            return DRIVE_STOPPED;
        some.row += at;
        some.col += at;
        some.n = cells->n - at < most ? cells->n - at : most;
        d->number++;
        while (unheard(status) && tries++ < LIMIT_TRIES)
            status = chip_read(d->target, d->number, &some, &lines, recipe->max_pulses, nS + at);
        result = outcome(d, status, tries > LIMIT_TRIES ? LIMIT_TRIES : tries);
        d->pulses[XBP_KIND_READ] += some.n;
    }
    return result;
}

/* Marks the cells of a group that pass in `reads` reads in a row. */
static drive_status find_passed(driver *d, const group *g, size_t macro, const chip_verify *verify, unsigned reads,
                                uint8_t *passed)
{
    static uint32_t nS[JOURNAL_CELLS];
    static group good;
    static uint8_t bad[JOURNAL_CELLS];
    drive_status status = DRIVE_DONE;
    size_t k;

    good = *g;
    for (k = 0; k < g->n; k++)
        good.place[k] = (uint16_t)k;
    while (reads-- && good.n && status == DRIVE_DONE) {
        const chip_cells cells = cells_of(&good, macro);
        status = drive_read(d, &cells, verify->read, nS);
        for (k = 0; k < good.n; k++)
            bad[k] = !chip_good(verify, nS[k]);
        leave(&good, bad);
    }
    memset(passed, 0, g->n);
    for (k = 0; k < good.n && status == DRIVE_DONE; k++)
        passed[good.place[k]] = 1;
    return status;
}

static drive_status pulse(driver *d, const group *g, size_t macro, const chip_recipe *recipe, unsigned k)
{
    const chip_cells cells = cells_of(g, macro);
    const chip_lines lines = chip_lines_of(recipe, k);
    chip_status status = CHIP_NO_REPLY;
    unsigned tries = 0;

    if (drive_stop)
        return DRIVE_STOPPED;
    if (journal_begin(d->log, d->step, k) != 0)
        return DRIVE_NO_JOURNAL;
    d->number++;
    while (unheard(status) && tries++ < LIMIT_TRIES)
        status = chip_pulse(d->target, d->number, &cells, &lines);
    d->pulses[recipe->kind] += g->n;
    return outcome(d, status, tries > LIMIT_TRIES ? LIMIT_TRIES : tries);
}

/* The board pulses and reads by itself. */
static drive_status write_on_board(driver *d, group *g, size_t macro, const chip_verify *verify, unsigned first,
                                   uint16_t *pulses)
{
    static uint16_t given[JOURNAL_CELLS];
    static uint8_t passed[JOURNAL_CELLS];
    const chip_cells cells = cells_of(g, macro);
    chip_status status = CHIP_NO_REPLY;
    unsigned tries = 0;
    size_t k;

    if (drive_stop)
        return DRIVE_STOPPED;
    if (journal_begin(d->log, d->step, first) != 0)
        return DRIVE_NO_JOURNAL;
    d->number++;
    while (unheard(status) && tries++ < LIMIT_TRIES)
        status = chip_write(d->target, d->number, &cells, verify, first, given, passed);
    for (k = 0; status == CHIP_OK && k < g->n; k++) {
        pulses[g->place[k]] = (uint16_t)(pulses[g->place[k]] + given[k]);
        d->pulses[verify->write->kind] += given[k];
    }
    if (status == CHIP_OK)
        leave(g, passed);
    return outcome(d, status, tries > LIMIT_TRIES ? LIMIT_TRIES : tries);
}

/* Pulse and read in turn, from pulse `first` on. */
static drive_status write_by_pulses(driver *d, group *g, size_t macro, const chip_verify *verify, unsigned first,
                                    uint16_t *pulses)
{
    static uint8_t passed[JOURNAL_CELLS];
    drive_status status = DRIVE_DONE;
    unsigned n;
    size_t k;

    for (n = first; n < verify->write->max_pulses && g->n && status == DRIVE_DONE; n++) {
        status = pulse(d, g, macro, verify->write, n);
        for (k = 0; k < g->n; k++)
            pulses[g->place[k]]++;
        if (status == DRIVE_DONE && verify->write->verify_id != XBP_BLIND) {
            status = find_passed(d, g, macro, verify, verify->write->good_reads, passed);
            leave(g, passed);
        }
    }
    return status;
}

drive_status drive_cells(driver *d, const chip_cells *cells, const chip_verify *verify, uint16_t *pulses, uint8_t *failed,
                         int *stopped)
{
    static group g;
    static uint8_t passed[JOURNAL_CELLS];
    const int verified = verify->write->verify_id != XBP_BLIND;
    const int uncertain = journal_uncertain(d->log, d->step);
    const unsigned first = d->log->begun && d->step == d->log->done ? d->log->pulse : 0;
    drive_status status = DRIVE_DONE;
    size_t k;

    if (d->step < d->log->done && d->log->past)
        return journal_past(d->log, d->step++, cells->n, pulses, failed, stopped) == 0 ? DRIVE_DONE : DRIVE_NO_JOURNAL;
    *stopped = uncertain;
    g.n = cells->n;
    for (k = 0; k < g.n; k++) {
        g.row[k] = cells->row[k];
        g.col[k] = cells->col[k];
        g.place[k] = (uint16_t)k;
        pulses[k] = (uint16_t)first;
    }
    if (uncertain ? verify->read != NULL : verify->write->read_first) { /* after a stop: was a pulse given? */
        status = find_passed(d, &g, cells->macro, verify, verified ? verify->write->good_reads : 1, passed);
        leave(&g, passed);
    }
    d->uncertain += uncertain ? cells->n : 0;
    if (status == DRIVE_DONE && g.n)
        status = verified && chip_can(d->target)->verifies ? write_on_board(d, &g, cells->macro, verify, first, pulses)
                                                           : write_by_pulses(d, &g, cells->macro, verify, first, pulses);
    if (status != DRIVE_DONE)
        return status;
    memset(failed, 0, cells->n);
    for (k = 0; k < g.n; k++)
        failed[g.place[k]] = verified ? 1 : 0;
    d->log->begun = 0;
    return journal_done(d->log, d->step++, cells->n, pulses, failed) == 0 ? DRIVE_DONE : DRIVE_NO_JOURNAL;
}
