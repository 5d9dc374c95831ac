/* How certmill ends. Scripts and timers rely on these exit codes. */
#ifndef CERTMILL_REPORT_ENDING_H
#define CERTMILL_REPORT_ENDING_H

enum ending {
    ENDING_DONE = 0,        /* everything that was due is done */
    ENDING_SOME_FAILED = 1, /* some certificates failed, all the others are done */
    ENDING_USAGE = 2,       /* usage or configuration: nothing was sent to a CA */
    ENDING_RESUME = 3,      /* interrupted or parked: run again to go on */
};

#endif
