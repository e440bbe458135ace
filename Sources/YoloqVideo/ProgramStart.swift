// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A program that could not be started.
package struct ProgramStartError: Error {
    /// The system's `errno`.
    package let code: Int32
}

/// Starts a program in a process group of its own, with signals as programs expect them.
///
/// - Parameters:
///   - program: A path, or a name that is found through `PATH`.
///   - arguments: Without its name.
///   - input: Its standard input; nil for an empty one.
///   - output: Its standard output.
///   - errors: Its standard error; nil for this process's own.
/// - Returns: The number of the process, which the caller has to wait for.
/// - Throws: Why it could not be started.
package func startProgram(
    _ program: String,
    _ arguments: [String],
    input: Int32?,
    output: Int32,
    errors: Int32?
) throws(ProgramStartError) -> Int32 {
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
    #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    } else {
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    if let errors { posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO) }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own: Ctrl-C is for the worker, which lets the job finish.
    posix_spawnattr_setpgroup(&attributes, 0)
    // Signals as a program expects them, whatever this process ignores.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for number in [SIGTERM, SIGINT, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
        &attributes,
        Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    )
    var argv = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, program, &actions, &attributes, &argv, environ)
    guard code == 0 else { throw ProgramStartError(code: code) }
    return child
}
