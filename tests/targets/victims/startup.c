/* A limit that a constructor sets: by the time anybody patches the process it has run. */
#include "victim.h"

static long limit;

static NOINLINE void set_limit(void)
{
#ifdef FIXED
    limit = 100;
#else
    limit = 4096;
#endif
}

#ifdef FIXED_LIST
static __attribute__((constructor)) void set_lower_limit(void) { limit = 100; }
#endif

static __attribute__((constructor)) void prepare(void) { set_limit(); }

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, atol(question) > limit ? "refused" : "taken"); }
static void hammer(long turn) { (void)turn; }
