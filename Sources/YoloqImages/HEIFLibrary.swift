// SPDX-License-Identifier: Apache-2.0
import CYoloqHEIF
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The system's libheif, opened when the first HEIC or AVIF comes and never closed.
///
/// It is not linked, because few need it and it brings two video decoders along.
final class HEIFLibrary: @unchecked Sendable {
    // Sendable because the table is written once, before anybody has it, and lives as long as the process.
    let functions: OpaquePointer

    #if canImport(Darwin)
        static let usualNames = [
            "libheif.1.dylib", "/opt/homebrew/lib/libheif.1.dylib", "/usr/local/lib/libheif.1.dylib",
        ]
    #else
        static let usualNames = ["libheif.so.1"]
    #endif

    private static let loaded = Mutex<[String: HEIFLibrary]>([:])

    /// The library of this process; opened by the first call.
    ///
    /// - Parameters:
    ///   - names: File names for the dynamic loader; the first that it finds is taken.
    ///   - format: What is to be decoded, for the message.
    /// - Returns: The library.
    /// - Throws: `ImageError` with code `.unsupportedFormat` that says what to install. The next call tries again.
    static func load(_ names: [String], for format: ImageFormat) throws(ImageError) -> HEIFLibrary {
        // `withLock` over a typed throw needs its type spelt.
        try loaded.withLock { (loaded) throws(ImageError) -> HEIFLibrary in
            var reason = "no library named"
            for name in names {
                if let library = loaded[name] { return library }
                guard let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) else {
                    reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
                    continue
                }
                // Not closed, also when what follows fails: what a library of this size has started may outlive it.
                let library = try HEIFLibrary(handle, name: name, format: format)
                loaded[name] = library
                return library
            }
            throw ImageError(
                code: .unsupportedFormat,
                message: "cannot decode the \(format.displayName): it needs libheif, which cannot be loaded "
                    + "(\(reason)). Install it (Debian: libheif1, Homebrew: libheif), or convert the file."
            )
        }
    }

    private init(_ handle: UnsafeMutableRawPointer, name: String, format: ImageFormat) throws(ImageError) {
        var missing: UnsafePointer<CChar>?
        guard let functions = yoloq_heif_bind(handle, &missing) else {
            guard let missing else { throw .decoderOutOfMemory(format) }
            throw ImageError(
                code: .unsupportedFormat,
                message: "cannot decode the \(format.displayName): \(name) has no \(String(cString: missing)). "
                    + "Install libheif 1.12 or later, or convert the file."
            )
        }
        self.functions = functions
    }
}
