/*
 * A victim that sees its own pauses: its one worker hardly ever sleeps and is nearly always outside the library, so its gaps are the pauses.
 * Callers use the library and sleep, so that there is somebody to stop; they measure nothing.
 *
 *   pause US    how long the worker sleeps after 64 turns
 *   callers N   starts that many more threads
 *   N           what the library makes of N
 */
#include "victim.h"

#define SPIN 8000                           /* ten or twenty microseconds: a turn of the worker */
#define CALLER_SLEEP 2000                   /* microseconds */

long reading(long x);

static NOINLINE void call(long turn)
{
    long read = reading(turn);
    if (read != 3 * turn + 1 && read != 3 * turn + 2) abort();
}

static void *caller(void *unused)
{
    for (long turn = 0;; turn++) {
        call(turn);
        usleep(CALLER_SLEEP);
    }
    return unused;
}

static NOINLINE void answer(const char *question, char *out, size_t room)
{
    if (!strncmp(question, "pause ", 6)) victim_pause = atoi(question + 6);
    if (!strncmp(question, "callers ", 8))
        for (int i = atoi(question + 8); i > 0; i--) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, caller, NULL)) exit(3);
        }
    snprintf(out, room, "%ld", reading(atol(question)));
}

static NOINLINE void hammer(long turn)
{
    call(turn);
    for (volatile int i = 0; i < SPIN; i++) { }
}
