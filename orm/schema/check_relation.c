/* check_relation.c - fields whose type is a model. */
#include "orm/schema/check.h"

void pxi_check_relations(struct pxi_checker *k)
{
    for (uint32_t i = 0; i < k->schema->models.count; i++) {
        const struct pxi_model *m = &k->schema->models.items[i];
        for (uint32_t j = 0; j < m->relations.count; j++) {
            const struct pxi_column *c = &m->relations.items[j].field;
            pxi_diag(k->diags, NO_RELATIONS, c->type_at, c->type_name.text,
                     c->list ? NULL : c->name.text);
        }
    }
}
