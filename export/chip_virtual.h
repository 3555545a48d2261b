/* chip_virtual.h: a chip in memory behind chip.h. It answers to voltages by rules of its own, and misbehaves on request. */
#ifndef CHIP_VIRTUAL_H
#define CHIP_VIRTUAL_H

#include "chip.h"
#include "npy.h"

typedef struct {
    double noise;                         /* standard deviation of one read, share of the value */
    double drift, drift_start_s, every_s; /* G (age / start)^-drift; seconds that each command takes beside its pulse */
    /* What a cell moves after it was written: mean and standard deviation over cells at relax_s, and how much of each comes
     * with a further decade of time. relax_s 0: nothing. */
    double relax_mean_nS, relax_std_nS, relax_s, relax_decade, relax_mean_decade;
    double disturb;                       /* share that a pulse moves a half-selected cell at half a switching voltage or more */
    double wire_ohm;                      /* of a line, from its driver to the first cell and from one cell to the next */
    double lose, damage;                  /* share of the replies that are lost, or come damaged */
    uint32_t wear;                        /* turns after which a cell stays as it is; 0: never */
    uint32_t dead_from;                   /* number of the command from which on nothing answers; 0: never */
    uint32_t interrupt;                   /* number of the command during which Ctrl-C comes; 0: never */
    uint64_t seed;
} chip_faults;

/* Makes a chip of an as-formed map in siemens; `formed`: already formed, else pristine. NULL, or what is wrong. */
const char *chip_open(chip **c, const npy_map *formed_map, int formed);
void chip_close(chip *c);

/* Keeps all that the chip is in a file, as a chip does when the programmer stops: takes it from there, or makes the file.
 * NULL, or what is wrong. */
const char *chip_keep(chip *c, const char *path);

/* Plants a fault; 0 when there is no such cell. stuck_on: it conducts whatever happens, else it does not. */
int chip_stick(chip *c, size_t macro, size_t row, size_t col, int stuck_on);

/* How the chip and its link misbehave; zero at the start. */
chip_faults *chip_fault(chip *c);

/* A number in [0, 1) that belongs to `name` (splitmix64). */
double chip_uniform(uint64_t name);

/* Whether time changes a cell. */
int chip_ages(const chip_faults *f);

/* What a cell conducts `age_s` after it was written with nS; on_nS: its value when on. name: one number for each write, on
 * which its own relaxation hangs. */
double chip_aged(const chip_faults *f, double nS, double on_nS, double age_s, uint64_t name);

/* A half-selected cell after one pulse that moves it towards end_nS. */
uint32_t chip_brushed(const chip_faults *f, uint32_t now_nS, uint32_t end_nS, uint64_t name);

/* What is left of a voltage along a line whose wire has line_ohm from its driver to place 0 and from each place to the next:
 * n loads in siemens at rising places become n shares of the voltage. */
void chip_ladder(double line_ohm, size_t n, const uint16_t *place, double *share);

/* What the board can do: granularity CHIP_CELL .., and whether it verifies. */
void chip_board(chip *c, int granularity, int verifies);

/* Does what a fault script says (README.md). The number of its faults, or -1 and the number of the wrong line. */
long chip_script(chip *c, const char *path, unsigned long *line);

#endif
