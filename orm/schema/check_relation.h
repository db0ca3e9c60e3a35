/* check_relation.h - between the files of the checker of relations. */
#ifndef PXI_SCHEMA_CHECK_RELATION_H
#define PXI_SCHEMA_CHECK_RELATION_H
#include "orm/schema/check.h"

/* One field whose type is a model. */
struct pxi_side {
    struct pxi_model *model, *target;
    struct pxi_relation *relation;
    struct pxi_group *group; /* NULL: it has a diagnostic that leaves nothing to pair */
    uint16_t index;          /* in model->relations */
    bool mapped;             /* map: gives its foreign key a name */
    bool told; /* it has a diagnostic: whoever looks further finds what follows from it */
};

/* What its @relation says; NULL = not given. The name is in the relation. */
struct pxi_relation_args {
    const struct pxi_value *fields, *references, *on_delete, *on_update, *map;
};

struct pxi_relation_job {
    struct pxi_checker *k;
    struct pxi_side *sides; /* sides[count]: of all models, in order */
    uint32_t count;
    uint32_t *first;           /* first[i]: where those of model i begin */
    struct pxi_symbols groups; /* by both models and the name */
    struct pxi_symbols names;  /* of foreign keys, in small letters */
};

struct pxi_relation_args pxi_side_args(const struct pxi_side *s);
/* "Post.author", for messages */
const char *pxi_side_text(struct pxi_checker *k, const struct pxi_side *s);

/* The owner's key: fields, references, actions. Fills columns and references of both sides. */
void pxi_check_owner(struct pxi_relation_job *job, struct pxi_side *own, struct pxi_side *other);
/* The constraint's name: those that were given, or (in a later round) those that are made. */
void pxi_check_foreign_name(struct pxi_relation_job *job, struct pxi_side *own);
/* Two lists: the join table. */
void pxi_check_join(struct pxi_relation_job *job, struct pxi_side *a, struct pxi_side *b);

#endif
