/* Threads that are in the allocator nearly all the time, and in the patched function with what they got. */
#include "victim.h"

NOINLINE long fill(char *block, size_t size)
{
#ifdef FIXED
    memset(block, 2, size);
#else
    memset(block, 1, size);
#endif
    return block[size - 1];
}

static void answer(const char *question, char *out, size_t room)
{
    char block[16];
    (void)question;
    snprintf(out, room, "%ld", fill(block, sizeof block));
}

static void hammer(long turn)
{
    char *blocks[32];
    for (int i = 0; i < 32; i++) blocks[i] = malloc((size_t)(turn * 37 + i * 911) % 70000 + 1);
    for (int i = 0; i < 32; i++) {
        size_t size = (size_t)(turn * 37 + i * 911) % 70000 + 1;
        if (size > 64) size = 64;       /* most of the time is to be the allocator's */
        if (!blocks[i] || fill(blocks[i], size) < 1 || blocks[i][0] != blocks[i][size - 1]) abort();
        free(blocks[i]);
    }
}
