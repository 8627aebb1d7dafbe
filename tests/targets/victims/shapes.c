/* Types of every kind; each -DFIXED_... changes one of them, and a function that reads it. */
#include "victim.h"

typedef struct {
    int kind;
#ifdef FIXED_TYPEDEF
    int colour;
#endif
    long weight;
} nameless;

struct holder {
    struct {
        short first;
#ifdef FIXED_INNER
        short between;
#endif
        short second;
    } inner;
    union {
        int number;
        char text[4];
#ifdef FIXED_UNION
        double wide;
#endif
    };
    unsigned low : 3;
#ifdef FIXED_BITS
    unsigned middle : 2;
#endif
    unsigned high : 5;
    const nameless *of;
#ifdef FIXED_ARRAY
    long row[3];
#else
    long row[2];
#endif
};

#ifdef FIXED_ORDER
struct pair { int right, left; };
#else
struct pair { int left, right; };
#endif

static nameless thing = { .kind = 1, .weight = 2 };
static struct holder *holder;
static struct pair pair = { .left = 3, .right = 3 };       /* the same bytes in either order */

NOINLINE long read_all(const struct holder *from, const struct pair *two, long x)
{
#ifdef FIXED
    if (x > 100) return -1;         /* the function changes whatever else does */
#endif
    return x + from->inner.second + from->number + from->high + from->of->weight + from->row[1] + two->right - two->left;
}

static void answer(const char *question, char *out, size_t room)
{
    if (!holder && (holder = calloc(1, sizeof *holder))) holder->of = &thing;
    snprintf(out, room, "%ld", read_all(holder, &pair, atol(question)));
}

static void hammer(long turn) { (void)turn; }
