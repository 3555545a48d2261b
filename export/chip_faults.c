/* chip_faults.c: fault scripts of the virtual chip. README.md lists their lines. */
#include <stdio.h>
#include <string.h>

#include "chip_virtual.h"

/* Figures of minirram's presets: noise of one read, drift exponent and the time from which it counts. */
static const struct {
    const char *name;
    double noise, drift, drift_start_s;
} presets[] = {
    { "taox-40nm", 0.0065, 0, 1 },
    { "hfox-1t1r", 0.01, 0, 1 },
    { "pcm", 0.037, 0.049, 20 },
    { "sonos-40nm", 0.0079, 0, 1 },
};

static int take_preset(chip_faults *f, const char *name)
{
    size_t i;

    for (i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(name, presets[i].name) == 0) {
            f->noise = presets[i].noise;
            f->drift = presets[i].drift;
            f->drift_start_s = presets[i].drift_start_s;
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
    double a, b, e;
    const int n = sscanf(line, " %31s %lf %lf %lf %c", name, &a, &b, &e, &rest) - 1;

    if (strcmp(name, "verify_on_board") == 0 && n == 0) {
        chip_board(c, chip_can(c)->granularity, 1);
        return sscanf(line, " %*s %1s", word) < 1;
    }
    if (n == 0 && sscanf(line, " %31s %31s %c", name, word, &rest) == 2)
        return strcmp(name, "preset") == 0      ? take_preset(f, word)
            : strcmp(name, "granularity") == 0 && take_granularity(c, word);
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
    char line[128], first;
    long n = 0;

    *number = 0;
    if (!file)
        return -1;
    while (n >= 0 && fgets(line, sizeof line, file)) {
        ++*number;
        if (sscanf(line, " %c", &first) < 1 || first == '#')
            continue;
        n = (first >= '0' && first <= '9' ? take_stuck(c, line) : take_named(c, line)) ? n + 1 : -1;
    }
    if (ferror(file))
        n = -1;
    fclose(file);
    return n;
}
