// SPDX-License-Identifier: Apache-2.0

/// A version of OpenVINO, as in "2026.4.1".
package struct OpenVINOVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The year of the release.
    package let year: Int
    /// The release within its year, counted from 0.
    package let release: Int
    /// The patch of the release.
    package let patch: Int

    /// Names a version.
    package init(year: Int, release: Int, patch: Int = 0) {
        self.year = year
        self.release = release
        self.patch = patch
    }

    /// Reads a build number as the library gives it, such as "2026.4.1-22060-12ab34-releases/2026/4".
    ///
    /// - Returns: nil if the text does not begin with two numbers.
    package init?(buildNumber: String) {
        let head = buildNumber.prefix { $0.isNumber || $0 == "." }
        let numbers = head.split(separator: ".").compactMap { Int($0) }
        guard numbers.count >= 2 else { return nil }
        self.init(year: numbers[0], release: numbers[1], patch: numbers.count > 2 ? numbers[2] : 0)
    }

    /// Orders by year, then release, then patch.
    package static func < (a: OpenVINOVersion, b: OpenVINOVersion) -> Bool {
        (a.year, a.release, a.patch) < (b.year, b.release, b.patch)
    }

    /// The version with its dots.
    package var description: String { "\(year).\(release).\(patch)" }
}
