"""Clocks that are wrong: of one process, by a library that stands between it and the machine's.

Debian's faketime ends the product before its first line: the allocator asks for the time before that library is ready."""

import subprocess

SOURCE = """
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += OFF;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec at;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &at)) return -1;
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec at;
    if (clock_gettime(CLOCK_REALTIME, &at)) return -1;
    if (now) *now = at.tv_sec;
    return at.tv_sec;
}
"""


def off(hours, folder):
    """The variables of a process whose clock is so many hours ahead, or behind. How fast time passes for it stays as it is."""
    library = folder / f"off-by-{hours}.so"
    command = ["cc", "-std=gnu11", "-O1", "-shared", "-fPIC", f"-DOFF=({hours * 3600})", "-x", "c", "-", "-o", library]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    return {"LD_PRELOAD": library}
