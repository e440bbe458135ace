// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqJobs
import YoloqVision

extension Duration {
    /// For people, in at most two units, rounded up to a second: `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
    var text: String {
        let whole = Int((self / .seconds(1)).rounded(.up))
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min \(whole % 60) s"
        case ..<86_400: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        default: return "\(whole / 86_400) d \(whole % 86_400 / 3600) h"
        }
    }
}

extension Timestamp {
    /// How long ago it was, for people: `3 min 20 s ago`, or `in 5 s` if it is yet to come.
    func text(asOf now: Timestamp) -> String {
        self > now ? "in \((self - now).text)" : "\((now - self).text) ago"
    }

    /// RFC 3339 in UTC with milliseconds.
    var text: String {
        Date(timeIntervalSince1970: Double(microseconds) / 1e6)
            .formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted)
            )
    }
}

extension Timestamp? {
    /// Its text, or null.
    var json: JSONValue { map { .string($0.text) } ?? .null }
}

extension String? {
    /// The text, or null.
    var json: JSONValue { map(JSONValue.string) ?? .null }
}

/// A number with its noun: `1 job`, `2 jobs`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
