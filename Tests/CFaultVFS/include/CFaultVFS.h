// SPDX-License-Identifier: Apache-2.0
//
// A layer for SQLite between it and the disk, for tests: it keeps an account of everything that changes the disk, and
// can make any single call fail. All else goes to the system's own layer ("unix").
//
// One layer serves the connections of one database. Every function may be called on any thread.
#ifndef CFAULTVFS_H
#define CFAULTVFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which file of the database; temporary files are passed through unseen.
typedef enum {
    YOLOQ_FILE_DATABASE = 1,
    YOLOQ_FILE_WAL = 2,
    YOLOQ_FILE_JOURNAL = 4,
} yoloq_fault_file;

// What SQLite asked for. Only the first five change the disk and are recorded.
typedef enum {
    YOLOQ_CALL_CREATE,
    YOLOQ_CALL_WRITE,
    YOLOQ_CALL_TRUNCATE,
    YOLOQ_CALL_SYNC,
    YOLOQ_CALL_DELETE,
    YOLOQ_CALL_READ,
    YOLOQ_CALL_OPEN,    // failing with SQLITE_READONLY opens the file as one that may only be read
    YOLOQ_CALL_MAP_SHM, // asking for a piece of the shared memory file
} yoloq_fault_call;

// One recorded change, in the order in which the disk was told.
typedef struct {
    yoloq_fault_call call;
    yoloq_fault_file file;
    int64_t content;     // number of the file's content: a file that is deleted and made again gets a new one
    int64_t offset;      // of a write; the new length for a truncation
    int64_t byte_count;  // of a write
    const uint8_t *bytes; // of a write; valid until the process ends
    bool syncs_folder;   // of a sync or a deletion: what happened to names before it is on the disk, too
} yoloq_fault_operation;

typedef struct yoloq_fault_vfs yoloq_fault_vfs;

// Registers a layer under a name of its own. It stays until the process ends, since a connection may outlive its test.
// Returns null if there is no memory.
yoloq_fault_vfs *yoloq_fault_vfs_make(const char *name);

// Makes calls fail from now on, in place of what was to fail before.
//
// files: a set of yoloq_fault_file; first: the first call to fail, counted from 1 and from now; count: how many fail in a
// row; code: what SQLite is told; half: whether a failing write leaves the first half of its bytes behind.
void yoloq_fault_vfs_fail(
    yoloq_fault_vfs *vfs, yoloq_fault_call call, int files, int64_t first, int64_t count, int code, bool half);

// Lets every call pass again; keeps the two counts.
void yoloq_fault_vfs_heal(yoloq_fault_vfs *vfs);

// How many calls of the last `fail`'s kind there were since then, and how many of them failed.
int64_t yoloq_fault_vfs_call_count(yoloq_fault_vfs *vfs);
int64_t yoloq_fault_vfs_failure_count(yoloq_fault_vfs *vfs);

// Starts the record. Before it nothing is kept.
void yoloq_fault_vfs_record(yoloq_fault_vfs *vfs);
int64_t yoloq_fault_vfs_operation_count(yoloq_fault_vfs *vfs);
yoloq_fault_operation yoloq_fault_vfs_operation(yoloq_fault_vfs *vfs, int64_t index);

// What decides whether a checkpoint and a commit can meet, in the order in which it happened.
typedef enum {
    YOLOQ_STEP_LOCK,   // a connection got a lock
    YOLOQ_STEP_UNLOCK, // and gave it back
    YOLOQ_STEP_APPEND, // the log was written: a commit, or a page of one that was too large for the cache
    YOLOQ_STEP_COPY,   // the database was written: in WAL mode a checkpoint
} yoloq_step_kind;

// SQLite's locks that matter here; those of readers do not.
typedef enum {
    YOLOQ_LOCK_WRITE = 1,  // in the shared memory: held from the first write of a transaction to its end
    YOLOQ_LOCK_CHECKPOINT, // in the shared memory: held during a checkpoint
    YOLOQ_LOCK_EXCLUSIVE,  // of the database file: nobody else has it open
} yoloq_lock;

typedef struct {
    yoloq_step_kind kind;
    yoloq_lock lock;    // of the first two
    int64_t connection; // number of the connection's database file, from 1; 0 for a write of the log
    bool is_guarded;    // whether somebody held the watched lock file at that moment
} yoloq_step;

// Starts to keep account of the steps, and of whether anybody holds an exclusive flock on a file meanwhile. Returns
// false if the file cannot be opened.
bool yoloq_fault_vfs_watch(yoloq_fault_vfs *vfs, const char *lock_file);
int64_t yoloq_fault_vfs_step_count(yoloq_fault_vfs *vfs);
yoloq_step yoloq_fault_vfs_step(yoloq_fault_vfs *vfs, int64_t index);

#endif
