// SPDX-License-Identifier: Apache-2.0

/// Keeps the C library from giving freed memory back to the kernel at once.
///
/// SQLite throws its page cache away whenever another process has written, and fills it again for the next statement. glibc
/// returns such memory as soon as 128 KiB at the end of the heap are free, and a page fault for every page follows: two
/// processes that write in turns get half as much done. The bound rises to twice the size of the largest block that was
/// ever freed (mallopt(3), "dynamic mmap threshold"), so one block is freed here; it is never touched and costs nothing.
enum FreedMemory {
    private static let blockByteCount = 16 << 20

    /// Takes effect once in a process.
    static let isKept: Bool = {
        UnsafeMutableRawPointer.allocate(byteCount: blockByteCount, alignment: 16).deallocate()
        return true
    }()
}
