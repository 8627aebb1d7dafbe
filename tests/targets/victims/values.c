/* Variables and constants that the fix would have otherwise: running processes have theirs, and so has code that is not replaced. */
#include "victim.h"

#ifdef FIXED_VALUE
long limit = 100;
#else
long limit = 4096;
#endif

#ifdef FIXED_SIZE
long table[8] = { 1 };
#else
long table[4] = { 1 };
#endif

#ifdef FIXED_CONSTANT
const long most[2] = { 100, 7 };
#else
const long most[2] = { 4096, 7 };
#endif

NOINLINE long take(long x) { return x > limit || x > most[x & 1] ? -1 : x + table[x & 3]; }

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", take(atol(question))); }
static void hammer(long turn) { (void)turn; }
