/* chip_wires.c: a line of the virtual chip as a ladder of resistances, from its driver to its last cell. */
#include "chip_virtual.h"

/* Twice over the cells: from the far end to the driver, what flows into the ladder at each cell for one volt there; then from the
 * driver on, what is left of the voltage at each cell. */
void chip_ladder(double line_ohm, size_t n, const uint16_t *place, double *share)
{
    double before = 1;
    size_t k;

    for (k = n; k-- > 1;)
        share[k - 1] += share[k] / (1 + line_ohm * (place[k] - place[k - 1]) * share[k]);
    for (k = 0; k < n; k++) {
        const int segments = k > 0 ? place[k] - place[k - 1] : place[k] + 1;
        before /= 1 + line_ohm * segments * share[k];
        share[k] = before;
    }
}
