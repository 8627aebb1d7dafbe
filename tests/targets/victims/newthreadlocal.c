/* The fix counts for each thread; threads that already run have no room for the counter. */
#include "victim.h"

#ifdef FIXED
static __thread long tries;
#endif

NOINLINE long attempt(long key)
{
#ifdef FIXED
    if (++tries > 3) return -1;
#endif
    return key * 2;
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", attempt(atol(question))); }
static void hammer(long turn) { (void)turn; }
