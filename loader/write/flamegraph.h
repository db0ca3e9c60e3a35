/* flamegraph.h - the parts of a flame graph that do not depend on the profile. */
#ifndef LOADER_WRITE_FLAMEGRAPH_H
#define LOADER_WRITE_FLAMEGRAPH_H

/* Measures that the drawing in C and the redrawing in the script share, in px. */
#define FLAME_WIDTH  1200 /* until a script fits it to the window */
#define FLAME_PAD    16   /* left and right */
#define FLAME_ROW    18   /* a frame with the gap to the next */
#define FLAME_HEAD   104  /* title, figures, controls */
#define FLAME_FOOT   36   /* details of the frame under the pointer */
#define FLAME_CHAR   6.65 /* a character of the frames' font */
#define FLAME_LETTER 5    /* blank left of a name */

extern const char flamegraph_style[];  /* CSS */
extern const char flamegraph_script[]; /* JavaScript; holds no "]]>" */

#endif
