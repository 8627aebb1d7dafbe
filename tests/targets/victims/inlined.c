/* The fix is in a header that two objects include. */
#include "victim.h"
#include "inlined.h"

NOINLINE long copy_in(long length) { return fits(length) ? length + 1 : -1; }

NOINLINE long untouched(long length) { return length * 5; }

static void answer(const char *question, char *out, size_t room)
{
    long length = atol(question);
    snprintf(out, room, "%ld %ld %ld", copy_in(length), copy_out(length), untouched(length));
}

static void hammer(long turn)
{
    if (copy_in(turn % 64) != turn % 64 + 1 || copy_out(turn % 64) != turn % 64 + 2) abort();
}
