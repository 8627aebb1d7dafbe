/*
 * A library with one function to be patched: plain enough for every tool that patches live processes, so that their pauses compare. The fix
 * has the old name, or the one that a tool wants (-DREADING=...).
 */
#ifndef READING
#define READING reading
#endif

long READING(long x)
{
#ifdef FIXED
    return 3 * x + 2;
#else
    return 3 * x + 1;
#endif
}
