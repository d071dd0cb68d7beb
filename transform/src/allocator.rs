//! What a process that runs a stream tells its allocator.
//!
//! glibc maps large pieces of memory one by one, and gives them back when they are freed. But each such piece that is freed
//! raises the size from which it does so, up to 32 MB: the arenas of blocks, a megabyte or two each, soon come from the heap,
//! which they leave in holes. Measured at 37 million events: 141 MB where 106 were in use; with the size held, 117 MB, at the
//! same CPU time.

/// Pieces of memory from this size on are given back at once when they are freed. Smaller ones cost too much to be mapped each
/// time: with 128 KB system calls took a fifth of a run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_LEAST: libc::c_int = 1 << 20;

/// Keeps the process's memory near what it uses. To be called before any thread is started; without effect where the allocator
/// isn't glibc's.
#[allow(unsafe_code, reason = "the allocator has no other way to be told")]
pub fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no other thread allocates meanwhile, and any size is valid. If it is refused, the process only takes more memory.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_LEAST);
    }
}
