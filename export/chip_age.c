/* chip_age.c: what time and neighbours do to a cell of the virtual chip. The laws are those of minirram's presets. */
#include <math.h>

#include "chip_virtual.h"

double chip_uniform(uint64_t name)
{
    uint64_t x = name * 0x9E3779B97F4A7C15u;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

int chip_ages(const chip_faults *f)
{
    return f->drift > 0 || f->relax_std_nS > 0 || f->relax_mean_nS > 0 || f->relax_mean_nS < 0;
}

/* Share of the relaxation at relax_s that has come. */
static double progress(const chip_faults *f, double age_s, double per_decade)
{
    const double share = age_s > 0 ? 1 + per_decade * log10(age_s / f->relax_s) : 0;

    return share > 0 ? share : 0;
}

double chip_aged(const chip_faults *f, double nS, double on_nS, double age_s, uint64_t name)
{
    const double normal = sqrt(-2 * log(1 - chip_uniform(name))) * cos(6.283185307179586 * chip_uniform(~name));
    const double weak = nS < on_nS ? nS / on_nS : 1;
    double aged = nS;

    if (f->drift > 0 && age_s > f->drift_start_s)
        aged *= pow(age_s / f->drift_start_s, -f->drift);
    if (f->relax_s > 0)
        aged += weak * (f->relax_std_nS * normal * progress(f, age_s, f->relax_decade)
                        + f->relax_mean_nS * progress(f, age_s, f->relax_mean_decade));
    return aged > 0 ? aged : 0;
}

uint32_t chip_brushed(const chip_faults *f, uint32_t now_nS, uint32_t end_nS, uint64_t name)
{
    const double way = f->disturb * (end_nS > now_nS ? end_nS - now_nS : now_nS - end_nS);
    const uint32_t whole = (uint32_t)way + (chip_uniform(name) < way - (uint32_t)way ? 1 : 0); /* a small share counts, too */

    return end_nS > now_nS ? now_nS + whole : now_nS - whole;
}
