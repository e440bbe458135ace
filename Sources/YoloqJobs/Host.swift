// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The machine this process runs on, as a worker records it.
struct Host: Sendable, Hashable {
    /// The network name.
    let name: String
    /// New with every start of the machine, so that locks of before are not taken for locks of now.
    let bootID: String

    /// This machine; asked once, since neither changes while the process runs.
    static let current = Host(name: ProcessInfo.processInfo.hostName, bootID: readBootID() ?? "unknown")

    #if canImport(Darwin)
        private static func readBootID() -> String? {
            var size = 0
            guard sysctlbyname("kern.bootsessionuuid", nil, &size, nil, 0) == 0 else { return nil }
            var text = [UInt8](repeating: 0, count: size)
            guard sysctlbyname("kern.bootsessionuuid", &text, &size, nil, 0) == 0 else { return nil }
            return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
    #else
        private static func readBootID() -> String? {
            try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
    #endif
}
