/* What a vendor's build puts into a program and ours does not: its date, and whatever else has grown since. */
#ifdef VENDOR
static char page[5000] = "a page";
static __thread long leading = 1;
static long unused_table[300];
static __attribute__((noinline, used)) long walk(long x)
{
    long sum = leading++;
    for (int i = 0; i < 300; i++) sum += unused_table[i] * x + page[i];
    return sum;
}
const char *stamp(void) { return walk(3) ? "2026-11-28 12:00" : page; }
#else
const char *stamp(void) { return "today"; }
#endif
