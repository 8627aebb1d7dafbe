/* Thread-local data, of the program itself: each worker must go on finding its own. */
#include "victim.h"

static __thread long mine;
__thread long theirs = 5;

NOINLINE long next_of_thread(void)
{
#ifdef FIXED
    mine += 2;
#else
    mine += 1;
#endif
    return mine + theirs;
}

static void answer(const char *question, char *out, size_t room) { (void)question; snprintf(out, room, "%ld", next_of_thread()); }

static void hammer(long turn)
{
    static __thread long last;
    long now = next_of_thread();
    if (turn > 0 && now - last != 1 && now - last != 2) abort();
    last = now;
}
