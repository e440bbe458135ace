// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where yoloq keeps and finds things on this machine.
public struct Installation: Sendable, Hashable {
    /// Models, queue and runtime: `$YOLOQ_HOME`, else `$XDG_DATA_HOME/yoloq`, else `~/.local/share/yoloq`.
    public let home: String
    /// What can be made again: `$YOLOQ_HOME/cache`, else `$XDG_CACHE_HOME/yoloq`, else `~/.cache/yoloq`.
    public let cache: String
    /// The folder with Package.swift that the executable was built in; nil for an installed one.
    public let checkout: String?
    /// The environment it was made from.
    public let environment: [String: String]

    /// Reads the places off an environment.
    ///
    /// - Parameters:
    ///   - environment: Variables as of the process.
    ///   - executable: The real path of the running program; nil if unknown.
    public init(environment: [String: String], executable: String?) {
        func variable(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : Self.absolutePath($0) }
        }
        let user = variable("HOME") ?? "/tmp"
        self.home = variable("YOLOQ_HOME") ?? "\(variable("XDG_DATA_HOME") ?? "\(user)/.local/share")/yoloq"
        self.cache =
            variable("YOLOQ_HOME").map { "\($0)/cache" } ?? "\(variable("XDG_CACHE_HOME") ?? "\(user)/.cache")/yoloq"
        self.checkout = executable.flatMap(Self.checkout(above:))
        self.environment = environment
    }

    /// Where OpenVINO may keep compiled models.
    ///
    /// For a nano model each input size takes 11 MB here and 10 MB more memory, and compiles in half the time (0.3 s
    /// less). `CompiledModelCache` bounds it. Several processes may use it at once.
    public var compiledModels: String { cache + "/openvino" }

    /// The places of this process.
    public static var current: Installation {
        Installation(environment: ProcessInfo.processInfo.environment, executable: executablePath)
    }

    /// The nearest folder above a file that holds Package.swift.
    ///
    /// - Parameter file: An absolute path.
    /// - Returns: nil if there is none up to the root.
    static func checkout(above file: String) -> String? {
        var parts = file.split(separator: "/")
        while parts.popLast() != nil {
            let folder = "/" + parts.joined(separator: "/")
            if access(folder + "/Package.swift", F_OK) == 0 { return folder }
        }
        return nil
    }

    /// A path from the root; relative ones start at the working directory.
    ///
    /// Links stay as they are.
    ///
    /// - Parameter path: Absolute or relative; `.` and `..` are resolved by text.
    /// - Returns: The path without `.`, `..` and doubled slashes.
    package static func absolutePath(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The real path of the running program, with links resolved.
    private static var executablePath: String? {
        #if canImport(Darwin)
            var size = UInt32(PATH_MAX)
            var buffer = [CChar](repeating: 0, count: Int(size))
            guard _NSGetExecutablePath(&buffer, &size) == 0 else { return nil }
            guard let real = realpath(buffer, nil) else { return nil }
        #else
            guard let real = realpath("/proc/self/exe", nil) else { return nil }
        #endif
        defer { free(real) }
        return String(cString: real)
    }
}
