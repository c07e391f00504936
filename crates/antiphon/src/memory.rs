//! How the C library's allocator shares its memory among threads.

#![expect(unsafe_code, reason = "mallopt has no safe form")]

/// Freed memory stays with the arena it came from, and glibc makes up to eight arenas a core: each
/// thread that ever hashed a password or read a file would keep its own. As many as there are
/// threads that are always busy: SIP and floor, media, the record, the web (docs/adr/0019).
const ARENAS_MAX: i32 = 4;

/// Before the first thread starts.
pub(crate) fn share() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two numbers and no memory of ours, and no other thread runs yet.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX) };
}
