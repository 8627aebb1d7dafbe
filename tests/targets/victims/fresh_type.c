/* The fix brings a type of its own and leaves those of others alone. */
#include "victim.h"

struct parcel { long weight; char label[16]; };

#ifdef FIXED
struct receipt { long total, limit; };
#endif

static struct parcel first = { 7, "first" };

NOINLINE long weigh(const struct parcel *parcel, long extra)
{
#ifdef FIXED
    struct receipt receipt = { parcel->weight + extra, 100 };
    return receipt.total > receipt.limit ? -1 : receipt.total;
#else
    return parcel->weight + extra;
#endif
}

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", weigh(&first, atol(question))); }
static void hammer(long turn) { (void)turn; }
