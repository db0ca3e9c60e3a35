/* report.h - the commands `report` and `export`: a finished profile folder, with no kernel needed.
 *
 * argv[0] is the command's name. Both return the exit status: 0 done, 1 usage, 2 the recording
 * cannot be read or the output not written; messages go to stderr.
 */
#ifndef LOADER_REPORT_H
#define LOADER_REPORT_H

/* report DIR [--json]: the summary on stdout. */
int cmd_report(int argc, char **argv);
/* export DIR --format folded|svg|dhat [-o FILE]: one format; without -o to stdout. */
int cmd_export(int argc, char **argv);

#endif
