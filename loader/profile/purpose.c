/* purpose.c - what libprax allocates for, as a frame: see profile__purpose_stack. A view that shows
 * stacks shows purposes then, and a recording holds them, with nothing added to either. */
#include "loader/profile/internal.h"
#include "usdt/include/prax/usdt.h"
#include <string.h>

#define MODULE "[prax]"

static const char *const names[PRAX_PURPOSES] = {
    "prax:other",
#define PRAX_PURPOSE(NAME, name, text) [PRAX_PURPOSE_##NAME] = "prax:" #name,
#include "usdt/purposes.def"
};

const char *purpose_name(uint32_t purpose)
{
    return names[purpose < PRAX_PURPOSES ? purpose : PRAX_PURPOSE_OTHER];
}

static uint32_t frame_of(struct profile *p, uint32_t purpose)
{
    purpose = purpose < PRAX_PURPOSES ? purpose : PRAX_PURPOSE_OTHER;
    uint32_t module = profile__module(p, MODULE, NULL, NULL, 0);
    uint32_t frame = profile__frame(p, module, purpose, false, true);
    struct frame_name name = { .name = purpose_name(purpose) };
    if (frame && p->frames[frame].symbols == 0)
        profile__names(p, frame, &name, 1);
    return frame;
}

uint32_t profile__purpose_stack(struct profile *p, uint32_t stack, uint32_t purpose)
{
    uint32_t frames[PXB_FRAMES_MAX + 1];
    const struct stack s = p->stacks[stack];
    size_t n = s.n < PXB_FRAMES_MAX ? s.n : PXB_FRAMES_MAX;
    if (n)
        memcpy(frames, s.frames, n * sizeof *frames);
    frames[n] = frame_of(p, purpose);
    return frames[n] ? profile__stack(p, frames, n + 1, s.end, false) : 0;
}

uint32_t stack__purpose(const struct profile *p, uint32_t stack)
{
    const struct stack *s = &p->stacks[stack];
    uint32_t frame = s->n ? s->frames[s->n - 1] : 0;
    const struct frame *f = &p->frames[frame];
    bool is_one = f->symbols && f->module && strcmp(p->modules[f->module].path, MODULE) == 0;
    return is_one ? frame : 0;
}
