/* State that must stay the running program's: a static local, private data reached from private functions, a pointer to a function. */
#include "victim.h"

static int stock = 100;
static const char *label = "crate";

static NOINLINE int take(int n) { return stock -= n; }

static int (*volatile taker)(int) = take;

NOINLINE int visits(void)
{
    static int seen;
#ifdef FIXED
    seen += 10;
#else
    seen += 1;
#endif
    return seen;
}

NOINLINE void sell(int n, char *out, size_t room)
{
#ifdef FIXED
    if (n > stock) n = stock;
#endif
    int left = taker(n);
    int same = taker == take;
    snprintf(out, room, "%s %d %s", label, left, same ? "same" : "other");
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strcmp(question, "visit")) snprintf(out, room, "%d", visits());
    else sell(atoi(question), out, room);
}

static void hammer(long turn) { (void)turn; }
