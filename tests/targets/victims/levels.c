/* One function, fixed again and again: LEVEL says how often. */
#include "victim.h"

#ifndef LEVEL
#ifdef FIXED
#define LEVEL 1
#else
#define LEVEL 0
#endif
#endif

NOINLINE int level(int x)
{
    static int calls;
    calls++;
    return x * 10 + LEVEL;
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%d", level(atoi(question))); }
static void hammer(long turn) { int v = level((int)(turn % 100)); if (v / 10 != turn % 100 || v % 10 > 3) abort(); }
