// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where to look for OpenVINO's C library, in order.
///
/// The first place that holds a library decides: one that cannot be opened or is too old is an error, not a reason to
/// look on, so that what runs is what the user sees. An explicit path, or else the environment's, is the only place
/// looked at where there is one, for the same reason.
package struct OpenVINOSearch: Sendable, Hashable {
    /// A library file, or the places where there was none.
    package enum Outcome: Sendable, Hashable {
        /// A library to open, and where its place was named. The path has no "/" if the system is to look for it.
        case found(path: String)
        /// Nothing; every place looked at.
        case missing(tried: [String])
    }

    /// A file or folder named on the command line.
    package var explicitPath: String?
    /// A file or folder named by `YOLOQ_OPENVINO`.
    package var environmentPath: String?
    /// Folders of the checkout and of the user's home, in order.
    package var folders: [String]
    /// Folders where packages put libraries.
    package var systemFolders: [String]
    /// Whether to ask the dynamic loader's own path in the end.
    package var asksLoader: Bool

    /// Names the places.
    ///
    /// - Parameters:
    ///   - explicitPath: A file or folder named on the command line.
    ///   - environmentPath: A file or folder named by `YOLOQ_OPENVINO`.
    ///   - folders: Folders of the checkout and of the user's home, in order.
    ///   - systemFolders: Folders where packages put libraries.
    ///   - asksLoader: Whether to ask the dynamic loader's own path in the end.
    package init(
        explicitPath: String? = nil,
        environmentPath: String? = nil,
        folders: [String] = [],
        systemFolders: [String] = OpenVINOSearch.usualSystemFolders,
        asksLoader: Bool = true
    ) {
        self.explicitPath = explicitPath
        self.environmentPath = environmentPath
        self.folders = folders
        self.systemFolders = systemFolders
        self.asksLoader = asksLoader
    }

    #if canImport(Darwin)
        static let stem = "libopenvino_c", ending = "dylib"
    #else
        static let stem = "libopenvino_c", ending = "so"
    #endif

    /// Where packages put the library on this system.
    package static var usualSystemFolders: [String] {
        #if canImport(Darwin)
            ["/opt/homebrew/lib", "/usr/local/lib", "/opt/intel/openvino/runtime/lib/arm64/Release"]
        #else
            [
                "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
                "/opt/intel/openvino/runtime/lib/intel64", "/opt/intel/openvino/runtime/lib/aarch64",
            ]
        #endif
    }

    /// Where a library lies within a folder: plain, as the wheel from PyPI unpacks, as Intel's archive unpacks.
    static let layouts = [
        "", "/libs", "/openvino/libs", "/lib", "/runtime/lib/intel64", "/runtime/lib/aarch64",
        "/runtime/lib/arm64/Release",
    ]

    /// Looks for the library.
    ///
    /// - Returns: The file to open, or the places tried.
    package func find() -> Outcome {
        if let explicitPath { return find(at: explicitPath, named: "--openvino") }
        if let environmentPath, !environmentPath.isEmpty { return find(at: environmentPath, named: "YOLOQ_OPENVINO") }
        var tried: [String] = []
        for folder in folders {
            for layout in Self.layouts {
                if let path = Self.library(in: folder + layout) { return .found(path: path) }
            }
            tried.append(folder)
        }
        for folder in systemFolders {
            if let path = Self.library(in: folder) { return .found(path: path) }
            tried.append(folder)
        }
        let soname = "\(Self.stem).\(Self.ending)"
        guard asksLoader else { return .missing(tried: tried) }
        if let handle = unsafe dlopen(soname, RTLD_LAZY | RTLD_LOCAL) {
            unsafe dlclose(handle)  // opened again, and kept, by OpenVINOLibrary
            return .found(path: soname)
        }
        return .missing(tried: tried + ["\(soname) by the dynamic loader"])
    }

    private func find(at path: String, named name: String) -> Outcome {
        if Self.isFile(path) { return .found(path: path) }
        for layout in Self.layouts {
            if let found = Self.library(in: path + layout) { return .found(path: found) }
        }
        return .missing(tried: ["\(path) (from \(name))"])
    }

    /// The C library in a folder: `libopenvino_c.so`, else the one with the highest number behind it.
    static func library(in folder: String) -> String? {
        let plain = "\(folder)/\(stem).\(ending)"
        if isFile(plain) { return plain }
        guard let directory = unsafe opendir(folder) else { return nil }
        defer { unsafe closedir(directory) }
        var best: (number: [Int], name: String)?
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard name.hasPrefix(stem + "."), name.contains(".\(ending)") else { continue }
            let number = name.split(separator: ".").compactMap { Int($0) }
            guard let current = best else {
                best = (number, name)
                continue
            }
            if current.number.lexicographicallyPrecedes(number) { best = (number, name) }
        }
        return best.map { "\(folder)/\($0.name)" }
    }

    static func isFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}
