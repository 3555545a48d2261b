/* recipe.c: see recipe.h. */
#include "recipe.h"

#include <string.h>

#include "xbp.h"

static chip_ramp ramp_at(const uint8_t *p)
{
    chip_ramp r;

    r.from = XBP_S16(p);
    r.step = XBP_U16(p + 2);
    r.to = XBP_S16(p + 4);
    return r;
}

chip_recipe recipe_of(const uint8_t *p)
{
    chip_recipe r;

    r.kind = p[XBP_RECIPE_KIND];
    r.verify_id = p[XBP_RECIPE_VERIFY_ID];
    r.drive = p[XBP_RECIPE_DRIVE];
    r.floating = p[XBP_RECIPE_FLOATING];
    r.read_first = p[XBP_RECIPE_READ_FIRST];
    r.good_reads = p[XBP_RECIPE_GOOD_READS];
    r.max_pulses = XBP_U16(p + XBP_RECIPE_MAX_PULSES);
    r.row = ramp_at(p + XBP_RECIPE_ROW_MV);
    r.col = ramp_at(p + XBP_RECIPE_COL_MV);
    r.select = ramp_at(p + XBP_RECIPE_SELECT_MV);
    r.ns = XBP_U32(p + XBP_RECIPE_WIDTH_NS);
    r.settle_ns = XBP_U32(p + XBP_RECIPE_SETTLE_NS);
    r.compliance_nA = XBP_U32(p + XBP_RECIPE_COMPLIANCE_NA);
    r.budget_nA = XBP_U32(p + XBP_RECIPE_BUDGET_NA);
    r.guard_nS = XBP_U32(p + XBP_RECIPE_GUARD_NS);
    return r;
}

static int beyond(int32_t value, int32_t limit)
{
    return value > limit || value < -limit;
}

static int ramp_beyond(const chip_ramp *r, int32_t limit)
{
    return beyond(r->from, limit) || beyond(r->to, limit);
}

/* A half-selected cell lies between a driven line and one at 0 V, unless the unselected lines across float. In a READ no
 * line may exceed the limit even so: what floats can charge. */
static int half_selected_beyond(const chip_recipe *r, const chip_ramp *line, unsigned across, int32_t limit)
{
    return ramp_beyond(line, limit) && (r->kind == XBP_KIND_READ || !(r->floating & across));
}

const char *recipe_refused(const chip_recipe *r, const chip_capabilities *can)
{
    const int32_t most_mV = r->kind == XBP_KIND_READ ? LIMIT_READ_MV : LIMIT_CELL_MV;
    const chip_ramp *const row = &r->row, *const col = &r->col;

    if (ramp_beyond(row, LIMIT_LINE_MV) || ramp_beyond(col, LIMIT_LINE_MV) || ramp_beyond(&r->select, LIMIT_LINE_MV))
        return "a line voltage beyond the limit of this board";
    /* Two ramps may be anywhere between their ends: the worst of the four corners counts. */
    if (beyond(row->from - col->from, most_mV) || beyond(row->from - col->to, most_mV)
        || beyond(row->to - col->from, most_mV) || beyond(row->to - col->to, most_mV))
        return "a cell voltage beyond the limit of this board";
    if (half_selected_beyond(r, row, XBP_FLOATING_COLUMNS, most_mV)
        || half_selected_beyond(r, col, XBP_FLOATING_ROWS, most_mV))
        return "a voltage of half-selected cells beyond the limit of this board";
    if (r->compliance_nA > LIMIT_COMPLIANCE_NA || r->budget_nA > LIMIT_BUDGET_NA)
        return "a current beyond the limit of this board";
    if (r->ns > LIMIT_WIDTH_NS || r->settle_ns > LIMIT_WIDTH_NS)
        return "a pulse longer than the limit of this board";
    if (r->max_pulses > LIMIT_PULSES)
        return "more pulses than the limit of this board";
    if (ramp_beyond(row, can->line_mV) || ramp_beyond(col, can->line_mV) || ramp_beyond(&r->select, can->select_mV)
        || r->compliance_nA > can->current_nA || r->ns < can->least_ns || r->ns > can->most_ns)
        return "beyond what the hardware of this board can do";
    return NULL;
}

chip_recipe recipe_plain_read(void)
{
    chip_recipe r;

    memset(&r, 0, sizeof r);
    r.kind = XBP_KIND_READ;
    r.verify_id = XBP_BLIND;
    r.max_pulses = 1;
    r.row.from = r.row.to = 200;
    r.select.from = r.select.to = 3300;
    r.ns = 50;
    return r;
}

static int32_t mV_of(const chip_ramp *r, unsigned k)
{
    const int32_t way = r->to - r->from;
    const int32_t gone = r->step > 0 && k > 65535u / (unsigned)r->step ? 65535 : (int32_t)k * r->step;

    return way < 0 ? (gone < -way ? r->from - gone : r->to) : gone < way ? r->from + gone : r->to;
}

chip_lines chip_lines_of(const chip_recipe *recipe, unsigned k)
{
    chip_lines lines;

    lines.row_mV = mV_of(&recipe->row, k);
    lines.col_mV = mV_of(&recipe->col, k);
    lines.select_mV = mV_of(&recipe->select, k);
    lines.floating = recipe->floating;
    lines.compliance_nA = recipe->compliance_nA;
    lines.ns = recipe->ns;
    lines.settle_ns = recipe->settle_ns;
    return lines;
}

int chip_good(const chip_verify *verify, uint32_t nS)
{
    const uint32_t guard = verify->write->guard_nS;

    if (verify->write->kind == XBP_KIND_RESET)
        return nS <= (verify->off_max_nS > guard ? verify->off_max_nS - guard : 0);
    return nS >= (uint64_t)verify->on_min_nS + guard;
}

int32_t chip_code_of(const chip_converter *adc, int64_t nS)
{
    const int32_t most = (int32_t)((UINT32_C(1) << (adc->polarity ? adc->bits : adc->bits - 1)) - 1);
    uint64_t by = adc->lsb, of = (uint64_t)(nS < 0 ? -nS : nS), code, rest;
    int exponent = adc->exponent;

    for (; (by & 1) == 0; by >>= 1)
        exponent++;
    if (exponent > 39 || exponent < -27) /* no LSB of a converter */
        return 0;
    by <<= exponent > 0 ? exponent : 0;
    of <<= exponent < 0 ? -exponent : 0;
    code = of <= UINT32_MAX && by <= UINT32_MAX ? (uint32_t)of / (uint32_t)by : of / by;
    rest = of - code * by;
    code += 2 * rest > by || (2 * rest == by && (code & 1));
    if (code > (uint32_t)most)
        code = (uint32_t)most;
    return nS < 0 ? -(int32_t)code : (int32_t)code;
}
