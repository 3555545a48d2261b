/* chip_faults.c: fault scripts of the virtual chip. README.md lists their lines. */
#include <stdio.h>
#include <string.h>

#include "chip_virtual.h"

/* Share of its way to the other state that a half-selected cell moves with one pulse. Assumed for every preset: no published
 * figure was found. A cell of a 512-row macro meets about 1,500 such pulses in a whole program, and moves by 0.15 %. */
#define PRESET_DISTURB 1e-6

/* Figures of minirram's presets, with their sources in minirram/device/presets.py: noise of one read; drift exponent and the
 * time from which it counts; relaxation as in chip_virtual.h, in uS, at the temperature at which it was measured. */
static const struct {
    const char *name;
    double noise, drift, drift_start_s, mean_uS, std_uS, relax_s, decade, mean_decade;
} presets[] = {
    { "taox-40nm", 0.0065, 0, 1, 0, 0, 1, 0, 0 },
    { "hfox-1t1r", 0.01, 0, 1, -8.7, 15, 1800, 0.097, 0.097 },
    { "pcm", 0.037, 0.049, 20, 0, 0, 1, 0, 0 },
    { "sonos-40nm", 0.0079, 0, 1, -0.115, 0.161, 86400, 1.08, 3.63 },
};

static void relax(chip_faults *f, double mean_uS, double std_uS, double at_s)
{
    f->relax_mean_nS = 1000 * mean_uS;
    f->relax_std_nS = 1000 * std_uS;
    f->relax_s = at_s;
}

static int take_preset(chip_faults *f, const char *name)
{
    size_t i;

    for (i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(name, presets[i].name) == 0) {
            f->noise = presets[i].noise;
            f->drift = presets[i].drift;
            f->drift_start_s = presets[i].drift_start_s;
            relax(f, presets[i].mean_uS, presets[i].std_uS, presets[i].relax_s);
            f->relax_decade = presets[i].decade;
            f->relax_mean_decade = presets[i].mean_decade;
            f->disturb = PRESET_DISTURB;
            return 1;
        }
    return 0;
}

/* "granularity cell|line|mask" */
static int take_granularity(chip *c, const char *word)
{
    static const char *const words[] = { "cell", "line", "mask" };
    int i;

    for (i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) {
            chip_board(c, i, chip_can(c)->verifies);
            return 1;
        }
    return 0;
}

/* A line of a name and figures; whether it is one. */
static int take_named(chip *c, const char *line)
{
    chip_faults *const f = chip_fault(c);
    char name[32], word[32], rest;
    double a, b, e, g;
    const int n = sscanf(line, " %31s %lf %lf %lf %lf %c", name, &a, &b, &e, &g, &rest) - 1;

    if (strcmp(name, "verify_on_board") == 0 && n == 0) {
        chip_board(c, chip_can(c)->granularity, 1);
        return sscanf(line, " %*s %1s", word) < 1;
    }
    if (n == 0 && sscanf(line, " %31s %31s %c", name, word, &rest) == 2)
        return strcmp(name, "preset") == 0      ? take_preset(f, word)
            : strcmp(name, "granularity") == 0 && take_granularity(c, word);
    if (strcmp(name, "relax") == 0 && n == 4) {
        relax(f, a, b, e);
        f->relax_decade = f->relax_mean_decade = g;
        return a > -1e5 && a < 1e5 && b >= 0 && b < 1e5 && e > 0 && e < 1e9 && g >= 0 && g < 100;
    }
    if (n < 1 || !(a >= 0 && a < 4294967296.0))
        return 0;
    if (strcmp(name, "drift") == 0) {
        f->drift = a;
        f->drift_start_s = b;
        f->every_s = e;
        return n == 3 && a <= 1 && b > 0 && b < 1e9 && e >= 0 && e < 1e6;
    }
    if (strcmp(name, "seed") == 0)
        f->seed = (uint64_t)a;
    else if (strcmp(name, "noise") == 0)
        f->noise = a;
    else if (strcmp(name, "disturb") == 0 && a <= 1)
        f->disturb = a;
    else if (strcmp(name, "wire_ohm") == 0)
        f->wire_ohm = a;
    else if (strcmp(name, "lose") == 0 && a <= 1)
        f->lose = a;
    else if (strcmp(name, "damage") == 0 && a <= 1)
        f->damage = a;
    else if (strcmp(name, "wear") == 0)
        f->wear = (uint32_t)a;
    else if (strcmp(name, "interrupt") == 0)
        f->interrupt = (uint32_t)a;
    else if (strcmp(name, "dead_from") == 0)
        f->dead_from = (uint32_t)a;
    else
        return 0;
    return n == 1;
}

/* "macro row col stuck_on|stuck_off"; whether it is one. */
static int take_stuck(chip *c, const char *line)
{
    unsigned long macro, row, col;
    char kind[16], rest;
    int stuck_on;

    if (sscanf(line, "%lu %lu %lu %15s %c", &macro, &row, &col, kind, &rest) != 4)
        return 0;
    stuck_on = strcmp(kind, "stuck_on") == 0;
    return (stuck_on || strcmp(kind, "stuck_off") == 0) && chip_stick(c, macro, row, col, stuck_on);
}

long chip_script(chip *c, const char *path, unsigned long *number)
{
    FILE *const file = fopen(path, "r");
    char line[1024], first;
    long n = 0;

    *number = 0;
    if (!file)
        return -1;
    while (n >= 0 && fgets(line, sizeof line, file)) {
        ++*number;
        if (!strchr(line, '\n') && !feof(file)) { /* too long, or no text */
            n = -1;
            break;
        }
        if (sscanf(line, " %c", &first) < 1 || first == '#')
            continue;
        n = (first >= '0' && first <= '9' ? take_stuck(c, line) : take_named(c, line)) ? n + 1 : -1;
    }
    if (ferror(file))
        n = -1;
    fclose(file);
    return n;
}
