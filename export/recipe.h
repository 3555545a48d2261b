/* recipe.h: recipes as a program file gives them, and what a board lets through. */
#ifndef RECIPE_H
#define RECIPE_H

#include "chip.h"

#ifndef LIMIT_LINE_MV
#define LIMIT_LINE_MV 4500 /* any line against ground, either sign */
#endif
#ifndef LIMIT_CELL_MV
#define LIMIT_CELL_MV 4000 /* across a cell, selected or half-selected, either sign */
#endif
#ifndef LIMIT_READ_MV
#define LIMIT_READ_MV 300 /* the same in a READ, which must not change a cell */
#endif
#ifndef LIMIT_COMPLIANCE_NA
#define LIMIT_COMPLIANCE_NA 200000u
#endif
#ifndef LIMIT_BUDGET_NA
#define LIMIT_BUDGET_NA 5000000u /* of all cells that are pulsed together */
#endif
#ifndef LIMIT_WIDTH_NS
#define LIMIT_WIDTH_NS 10000000u /* of one pulse, and of the rest after it */
#endif
#ifndef LIMIT_PULSES
#define LIMIT_PULSES 100u /* of one recipe into one cell */
#endif

/* The recipe in the payload of a RECIPE record. */
chip_recipe recipe_of(const uint8_t *payload);

/* NULL, or why neither these limits nor the board let it through. */
const char *recipe_refused(const chip_recipe *recipe, const chip_capabilities *can);

/* The READ of a chip for which no file has one. */
chip_recipe recipe_plain_read(void);

#endif
