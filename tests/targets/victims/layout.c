/* The fix puts a field into a struct of which objects live: theirs have no room for it. */
#include "victim.h"

struct parcel {
    long weight;
#ifdef FIXED
    long limit;
#endif
    char label[16];
};

#ifdef FIXED
struct receipt { long total; };     /* wholly new: nothing of it lives yet */
#endif

static struct parcel *first;

NOINLINE long weigh(const struct parcel *parcel, long extra)
{
#ifdef FIXED
    struct receipt receipt = { parcel->weight + extra };
    return receipt.total > parcel->limit ? -1 : receipt.total;
#else
    return parcel->weight + extra;
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    if (!first && (first = calloc(1, sizeof *first))) first->weight = 7;
    snprintf(out, room, "%ld", weigh(first, atol(question)));
}

static void hammer(long turn) { (void)turn; }
