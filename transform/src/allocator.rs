//! What a process that runs a stream tells its allocator.
//!
//! By itself glibc gives each thread a heap of its own, and soon takes pieces of up to 32 MB from it: each piece that it had
//! mapped alone, and that is freed, raises the size from which it maps them. Blocks are made by one thread and freed by
//! another, so these heaps end full of holes. Measured at 37 million events with 106 MB in use: 142 MB; with one heap, and
//! large pieces mapped alone, 114 MB, at the same speed.

/// Pieces of memory from this size on are given back at once when they are freed. With 1 MB, which is less than most arenas of
/// blocks, mapping them again and again took a twentieth of a run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_BYTES_LEAST: libc::c_int = 4 << 20;

/// Keeps the process's memory near what it uses; without effect where the allocator isn't glibc's. It is for processes whose
/// threads allocate blocks and no rows, since all of them share one heap from now on. So it isn't for `etl seed`: clients of
/// servers allocate for what they send, RabbitMQ's for every message, and publishing took a seventh longer with one heap.
#[allow(unsafe_code, reason = "the allocator has no other way to be told")]
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: glibc changes its settings under its own lock, and these values are valid. If they were refused, the process
    // would take more memory, and nothing else.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_LEAST);
    }
}
