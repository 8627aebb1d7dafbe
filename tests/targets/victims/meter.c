/*
 * A victim that sees its own pauses: the first worker is nearly always running and outside the library, so its gaps are the pauses; the
 * others call the library and sleep, so that there is somebody to stop.
 *
 *   pause US    how long each worker sleeps after 64 turns
 *   N           what the library makes of N
 */
#include "victim.h"

#define SPIN 25000                          /* tens of microseconds: a turn of the first worker */

long reading(long x);

static int workers;
static __thread int worker;

static NOINLINE void answer(const char *question, char *out, size_t room)
{
    if (!strncmp(question, "pause ", 6)) victim_pause = atoi(question + 6);
    snprintf(out, room, "%ld", reading(atol(question)));
}

static NOINLINE void hammer(long turn)
{
    if (!worker) worker = __atomic_add_fetch(&workers, 1, __ATOMIC_RELAXED);
    long read = reading(turn);
    if (read != 3 * turn + 1 && read != 3 * turn + 2) abort();
    if (worker == 1)
        for (volatile int i = 0; i < SPIN; i++) { }
}
