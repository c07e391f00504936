//! The few calls of Linux that std does not offer: readiness, a steady timer, priority, CPU time.
//!
//! Invariant: the only `unsafe` of the crate is here; each block passes pointers to values that
//! outlive the call and checks the result.
#![expect(unsafe_code, reason = "epoll, timerfd, eventfd and sched have no safe form in std")]

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Readiness of many descriptors, level-triggered.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Poller {
    /// A poller that reports at most `batch` descriptors at once.
    pub(crate) fn new(batch: usize) -> io::Result<Self> {
        // SAFETY: no pointers.
        let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self { epoll, ready: vec![libc::epoll_event { events: 0, u64: 0 }; batch.max(1)] })
    }

    /// Reports `fd` as `token` whenever it can be read, until it is removed or closed.
    pub(crate) fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` lives for the call; both descriptors are open.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) })
            .map(|_| ())
    }

    /// Reports `fd` no more. False when it was not watched.
    pub(crate) fn remove(&self, fd: &impl AsRawFd) -> bool {
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: both descriptors are open, and a removal reads no event.
        let done = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
        done == 0
    }

    /// Waits without limit until something can be read and gives how many tokens there are.
    pub(crate) fn wait(&mut self) -> io::Result<usize> {
        let room = libc::c_int::try_from(self.ready.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `ready` has room for `room` events and is not touched during the call.
        let result =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.ready.as_mut_ptr(), room, -1) };
        match check(result) {
            Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The token at `index` of the last [`Self::wait`].
    pub(crate) fn token(&self, index: usize) -> u64 {
        self.ready[index].u64
    }
}

/// A timer with absolute deadlines: it never drifts, whatever the reader is late.
#[derive(Debug)]
pub(crate) struct Ticker {
    file: File,
}

impl Ticker {
    /// Ticks every `period`, the first time one period from now.
    pub(crate) fn new(period: Duration) -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: no pointers.
        let fd = own(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        let period = libc::timespec {
            tv_sec: libc::time_t::try_from(period.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(period.subsec_nanos()),
        };
        let spec = libc::itimerspec { it_interval: period, it_value: period };
        // SAFETY: `spec` lives for the call; the old value is not asked for.
        check(unsafe {
            libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const spec, std::ptr::null_mut())
        })?;
        Ok(Self { file: File::from(fd) })
    }

    /// How many ticks have passed since the last call.
    pub(crate) fn elapsed(&mut self) -> u64 {
        let mut count = [0; 8];
        self.file.read_exact(&mut count).map_or(0, |()| u64::from_ne_bytes(count))
    }
}

impl AsRawFd for Ticker {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Wakes a poller from another thread.
#[derive(Debug)]
pub(crate) struct Waker {
    file: File,
    /// A wake-up is on its way: another would only cost the system call.
    pending: AtomicBool,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = own(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        Ok(Self { file: File::from(fd), pending: AtomicBool::new(false) })
    }

    /// What was queued before this call is seen by whoever calls [`Self::clear`] next.
    pub(crate) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            // A full counter is a wake-up that is already on its way.
            let _ = (&self.file).write(&1_u64.to_ne_bytes());
        }
    }

    /// Call it before looking into the queue, not after.
    pub(crate) fn clear(&self) {
        let _ = (&self.file).read(&mut [0; 8]);
        self.pending.swap(false, Ordering::AcqRel);
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Asks for real-time priority of the calling thread. False when it is not permitted.
pub(crate) fn realtime() -> bool {
    // SAFETY: all-zero is a valid `sched_param`.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 20;
    // SAFETY: `parameters` lives for the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) == 0 }
}

/// CPU time the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Raises the soft limit of open files to the hard one: each leg needs two.
pub(crate) fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives for both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
