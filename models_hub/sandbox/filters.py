"""The two lists of system calls: what nothing in the sandbox may do, and all that a job may do."""

import errno

from models_hub.sandbox.bpf import ALLOW, Filter
from models_hub.sandbox.bpf import errno as fails

_NOT_PERMITTED, _NOT_THERE, _READ_ONLY = map(fails, (errno.EPERM, errno.ENOSYS, errno.EROFS))

# linux/sched.h
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
# What makes an open a write: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, __O_TMPFILE.
_WRITES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into somebody's terminal
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_HARMLESS_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Of prctl only what threads and malloc use (PR_SET_NAME, PR_GET_NAME, PR_SET_VMA): above all the
# signal at the parent's death stays as it is.
_HARMLESS_PRCTLS = (15, 16, 0x53564D41)
# Signals by way of a file: F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY.
_SIGNALLING_FCNTLS = (8, 10, 15, 1024, 1026)

DENIED = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
fanotify_mark finit_module fsconfig fsmount fsopen fspick init_module io_setup io_uring_enter
io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
memfd_create memfd_secret migrate_pages mknod mknodat modify_ldt mount mount_setattr move_mount
move_pages mq_open msgget name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
personality pidfd_getfd pivot_root process_madvise process_vm_readv process_vm_writev ptrace
quotactl quotactl_fd reboot request_key semget set_mempolicy_home_node setdomainname sethostname
setns settimeofday shmget socket socketpair splice swapoff swapon syslog tee umount2 unshare
uselib userfaultfd ustat vhangup vmsplice
"""

ALLOWED = """
access arch_prctl brk clock_getres clock_gettime clock_nanosleep close close_range dup dup2 dup3
epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 exit exit_group faccessat faccessat2
fadvise64 fstat fstatfs futex futex_requeue futex_wait futex_waitv futex_wake getcpu
getcwd getdents64 getegid geteuid getgid getgroups getpgrp getpid getppid getrandom getresgid
getresuid getrlimit getrusage gettid gettimeofday getuid lseek lstat madvise membarrier mincore mmap
mprotect mremap munmap nanosleep newfstatat pipe pipe2 poll ppoll pread64 preadv pselect6 read
readlink readlinkat readv restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigreturn rt_sigtimedwait sched_getaffinity sched_getparam sched_getscheduler sched_yield select
set_robust_list set_tid_address setitimer sigaltstack stat statfs statx sysinfo time times umask
uname write writev
"""


def outer(machine: str | None = None) -> bytes:
    """The deny-list that bubblewrap installs: it still lets the first program be started."""
    return (
        Filter(machine)
        .always(["clone3"], _NOT_THERE)  # its flags lie in memory, where no filter can look
        .bits("clone", 0, _CLONE_NAMESPACES, hit=_NOT_PERMITTED, miss=ALLOW)
        .one_of("ioctl", 1, _TERMINAL, hit=_NOT_PERMITTED, miss=ALLOW)
        .always(DENIED.split(), _NOT_PERMITTED)
        .otherwise(ALLOW)
    )


def inner(pid: int, machine: str | None = None) -> bytes:
    """The allow-list that the first program installs in process `pid` before the first hostile
    byte: threads, memory, reading; no new process or program, no socket, nothing written but to
    pipes that are open already, and no other process is named."""
    return (
        Filter(machine)
        .always(["clone3"], _NOT_THERE)  # the C library then falls back to clone
        .bits("clone", 0, _CLONE_THREAD, hit=ALLOW, miss=_NOT_PERMITTED)
        .bits("openat", 2, _WRITES, hit=_READ_ONLY, miss=ALLOW)
        .bits("open", 1, _WRITES, hit=_READ_ONLY, miss=ALLOW)
        .always(["openat2"], _NOT_THERE)
        .one_of("tgkill", 0, [pid], hit=ALLOW, miss=_NOT_PERMITTED)
        .one_of("prlimit64", 0, [0, pid], hit=ALLOW, miss=_NOT_PERMITTED)
        .one_of("prctl", 0, _HARMLESS_PRCTLS, hit=ALLOW, miss=_NOT_PERMITTED)
        .one_of("fcntl", 1, _SIGNALLING_FCNTLS, hit=_NOT_PERMITTED, miss=ALLOW)
        .one_of("ioctl", 1, _HARMLESS_IOCTLS, hit=ALLOW, miss=_NOT_PERMITTED)
        .always(ALLOWED.split(), ALLOW)
        .otherwise(_NOT_PERMITTED)
    )
