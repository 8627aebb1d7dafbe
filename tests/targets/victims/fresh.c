/* A fix that brings things of its own: a function, a variable, constants with addresses in them, a jump table. */
#include "victim.h"

#ifdef FIXED
int refusals = 40;

static const struct { const char *name; int limit; } rules[] = { { "apple", 3 }, { "brick", 5 }, { "candle", 8 } };

NOINLINE int limit_of(const char *name)
{
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(rules[i].name, name)) return rules[i].limit;
    return 0;
}
#endif

NOINLINE void judge(const char *question, char *out, size_t room)
{
#ifdef FIXED
    switch (question[0]) {
        case 'a': snprintf(out, room, "a fruit, at most %d", limit_of(question)); return;
        case 'b': snprintf(out, room, "a stone, at most %d", limit_of(question)); return;
        case 'c': snprintf(out, room, "a light, at most %d", limit_of(question)); return;
        case 'd': puts("drum"); snprintf(out, room, "a noise"); return;
        case 'e': usleep(1); snprintf(out, room, "an animal of %zu letters", strlen(question)); return;
        case 'f': snprintf(out, room, "%.2f", strtod(question + 1, NULL) / 3.0); return;
        default: snprintf(out, room, "refused %d", ++refusals); return;
    }
#else
    snprintf(out, room, "anything goes: %s", question);
#endif
}

static void answer(const char *question, char *out, size_t room) { judge(question, out, room); }
static void hammer(long turn) { char out[64]; judge(turn % 2 ? "apple" : "zebra", out, sizeof out); }
