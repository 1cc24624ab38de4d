/* register_list.c - what a model makes of each of its registers, as a table for people. The table is Markdown, so that
 * the page in docs/ is this output and a test can compare the two.
 */
#include "register_list.h"

static const char *access_of(enum sim_reg_mode mode)
{
    switch (mode) {
    case SIM_REG_RW:
        return "stored";
    case SIM_REG_RO:
        return "read only";
    case SIM_REG_RC:
        return "cleared by reading";
    case SIM_REG_W1C:
        return "writing 1 clears";
    case SIM_REG_ACTION:
        return "acts";
    }
    return "";
}

static void print_row(FILE *out, const struct sim_reg *row)
{
    char name[32], offset[32];

    snprintf(name, sizeof name, "%s", row->name);
    snprintf(offset, sizeof offset, "%05x", row->offset);
    if (row->count > 1) {
        snprintf(name, sizeof name, "%s[%u-%u]", row->name, row->first, row->first + row->count - 1u);
        snprintf(offset, sizeof offset, "%05x + %xn", row->offset, row->stride);
    }
    fprintf(out, "| %-18s | %-12s | %-18s | %08x | %s |\n", name, offset, access_of(row->mode), row->reset,
            row->meaning);
}

void sim_register_list_print(FILE *out, const struct sim_device_ops *nic)
{
    size_t n;
    const struct sim_reg *rows = nic->registers(&n);

    fprintf(out, "| %-18s | %-12s | %-18s | %-8s | %s |\n", "register", "offset", "access", "reset",
            "what the model makes of it");
    fputs("|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < n; i++)
        print_row(out, &rows[i]);
}
