/* The function to be patched is in a library, which has a twin. */
#include "victim.h"

int put_a(int n);
int put_b(int n);

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%d %d", put_a(atoi(question)), put_b(atoi(question))); }
static void hammer(long turn) { (void)turn; if (put_a(0) < 0 || put_b(0) < 0) abort(); }
