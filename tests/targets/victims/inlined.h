/* A check that every caller has inside: it is no function of its own anywhere. */
static inline __attribute__((always_inline)) int fits(long length)
{
#ifdef FIXED
    return length >= 0 && length <= 64;
#else
    return length <= 4096;
#endif
}

long copy_in(long length);
long copy_out(long length);
