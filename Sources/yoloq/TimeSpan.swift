// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import YoloqJobs

/// A time as people type it: a number with ms, s, m, h or d.
struct TimeSpan: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [(suffix: String, seconds: Double)] = [
            ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400),
        ]
        guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
            let number = Double(argument.dropLast(unit.suffix.count)), number >= 0, number < 1e9
        else { return nil }
        duration = .seconds(number * unit.seconds)
    }
}

/// A time for which something is kept: a `TimeSpan`, or for ever.
struct KeepTime: ExpressibleByArgument {
    /// nil for ever.
    let duration: Duration?

    init?(argument: String) {
        if argument == "forever" {
            duration = nil
        } else if let span = TimeSpan(argument: argument) {
            duration = span.duration
        } else {
            return nil
        }
    }
}

/// A moment as people type it: RFC 3339 with a zone, or a local date and time, or a local time of today.
struct Moment: ExpressibleByArgument {
    let timestamp: Timestamp

    init?(argument: String) {
        guard let date = Moment.date(argument, now: Date()) else { return nil }
        timestamp = Timestamp(microseconds: Int64(date.timeIntervalSince1970 * 1e6))
    }

    /// Reads a moment.
    ///
    /// - Parameters:
    ///   - text: Such as `2026-11-22T18:00:00Z`, `2026-11-22 18:00` or `18:00`.
    ///   - now: What day it is.
    /// - Returns: nil if it is none.
    static func date(_ text: String, now: Date) -> Date? {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.isLenient = false
        for format in ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm"] {
            formatter.dateFormat = format
            if let date = formatter.date(from: text.replacing("T", with: " ")) { return date }
        }
        formatter.dateFormat = "yyyy-MM-dd"
        let today = formatter.string(from: now)
        formatter.dateFormat = "yyyy-MM-dd HH:mm"
        return formatter.date(from: "\(today) \(text)")
    }
}
