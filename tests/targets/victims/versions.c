/* The fix calls a library function that exists in two versions: realpath of glibc 2.3 allocates when asked to, that of 2.2.5 refuses. */
#include "victim.h"
#include <limits.h>

NOINLINE void resolve(const char *path, char *out, size_t room)
{
#ifdef FIXED
    char *real = realpath(path, NULL);
    snprintf(out, room, "%s", real ? real : "refused");
    free(real);
#else
    snprintf(out, room, "as given: %s", path);
#endif
}

static void answer(const char *question, char *out, size_t room) { resolve(question, out, room); }
static void hammer(long turn) { (void)turn; }
